//! The views that operators read: who needs a login, and never a token.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::token::LIST_SCOPE;
use serde_json::json;
use store::refresh_job::Granted;

use crate::harness::arrange::secret;
use crate::harness::{Database, contract};

contract![
    table_of_who_needs_a_login,
    a_user_shows_the_best_stream,
    the_views_of_the_contract_are_there_and_none_shows_a_token,
    every_view_can_be_read_whole,
    the_health_of_a_token_says_why,
    a_login_without_the_scope_says_so_and_serves_nobody,
];

/// Streams of one character, and whether it needs a login. A stream is its state, whether it has an access token and
/// whether it has a refresh token.
type Case = (&'static [(&'static str, bool, bool)], bool);

const CASES: [Case; 12] = [
    (&[], true),
    (&[("active", true, true)], false),
    (&[("active", false, true)], false),
    (&[("active", true, false)], true),
    (&[("active", false, false)], true),
    (&[("suspect", true, true)], false),
    (&[("dead", true, true)], true),
    (&[("quarantined", true, true)], true),
    (&[("dead", true, true), ("active", true, true)], false),
    (&[("dead", true, true), ("suspect", false, true)], false),
    (&[("dead", true, true), ("active", true, false)], true),
    (&[("dead", true, true), ("quarantined", true, true)], true),
];

async fn table_of_who_needs_a_login(database: Database) {
    for (id, (streams, _)) in (1..).zip(CASES) {
        database.character(id).await;
        for (number, (state, access, refresh)) in streams.iter().enumerate() {
            let token_stream_id = database.login(id, &format!("token-{number}")).await;
            let access = if *access { "refresh_token_sealed" } else { "null" };
            let refresh = if *refresh { "refresh_token_sealed" } else { "null" };
            database
                .run(format!(
                    "update token_stream set state = '{state}', access_token_sealed = {access},
                            refresh_token_sealed = {refresh} where token_stream_id = {token_stream_id}"
                ))
                .await;
        }
    }
    let rows = database.rows(r#"select character_id, needs_login from "user" order by character_id"#).await;
    assert_eq!(rows.len(), CASES.len(), "one row for each character");
    for (row, (id, (streams, needs_login))) in rows.iter().zip((1..).zip(CASES)) {
        assert_eq!(*row, json!({ "character_id": id, "needs_login": needs_login }), "{streams:?}");
    }
    let needing = CASES.iter().filter(|(_, needs_login)| *needs_login).count();
    assert_eq!(database.store.status().await.unwrap().characters_needing_login, i64::try_from(needing).unwrap());
}

async fn a_user_shows_the_best_stream(database: Database) {
    let mut streams = Vec::new();
    for (token, columns) in [
        ("one", "state = 'dead', expires_at = now() + interval '60 minutes'"),
        ("two", "state = 'active', expires_at = now() + interval '10 minutes'"),
        ("three", "state = 'active', expires_at = now() + interval '5 minutes'"),
        ("four", "state = 'active', expires_at = null"),
    ] {
        let token_stream_id = database.login(1, token).await;
        database.run(format!("update token_stream set {columns} where token_stream_id = {token_stream_id}")).await;
        streams.push(token_stream_id);
    }
    // The best one each time, before it gets worse than the others.
    for (best, becomes) in [(1, "suspect"), (2, "dead"), (3, "dead"), (1, "quarantined"), (0, "quarantined")] {
        let id = streams[best];
        let shown = format!(
            r#"select u.expires_at is not distinct from s.expires_at from "user" u, token_stream s
               where s.token_stream_id = {id}"#
        );
        assert!(database.holds(shown).await, "stream {best} is the best one");
        database.run(format!("update token_stream set state = '{becomes}' where token_stream_id = {id}")).await;
    }
}

async fn the_views_of_the_contract_are_there_and_none_shows_a_token(database: Database) {
    let columns = database.columns_of_views().await;
    let views: BTreeSet<&str> = columns.iter().map(|column| column["view"].as_str().unwrap()).collect();
    for name in [
        "user",
        "token_health",
        "sync_freshness",
        "killmail_backlog",
        "fleet_health",
        "killmail_item",
        "killmail_attacker",
        "killmail_victim",
    ] {
        assert!(views.contains(name), "{name} is missing");
    }
    for column in &columns {
        let name = column["name"].as_str().unwrap();
        assert!(!name.ends_with("_sealed") && column.column("is_binary") == false, "{column}");
    }
    let user: BTreeSet<&str> = columns
        .iter()
        .filter(|column| column["view"] == "user")
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    let expected = ["character_id", "character_name", "created_at", "expires_at", "needs_login", "updated_at"];
    assert_eq!(user, BTreeSet::from(expected));
}

async fn every_view_can_be_read_whole(database: Database) {
    database.login(1, "one").await;
    database.wanted(&crate::harness::arrange::references([1, 2])).await;
    database.stored(1).await;
    database.store.add_corporation(domain::CorporationId::parse(98_000_001).unwrap()).await.unwrap();
    let columns = database.columns_of_views().await;
    let views: BTreeSet<&str> = columns.iter().map(|column| column["view"].as_str().unwrap()).collect();
    assert!(views.len() >= 8, "{views:?}");
    for view in views {
        let rows = database.rows(format!(r#"select * from "{view}""#)).await;
        assert!(!rows.is_empty() || view == "killmail_item", "{view}");
    }
}

async fn the_health_of_a_token_says_why(database: Database) {
    const WHY: &str = "select state, strikes, last_error_code, last_event, \
                       first_error_at is null as was_well, next_probe_at is null as needs_no_probe from token_health";
    let token_stream_id = database.login(1, "one").await;
    let event = |row: &crate::harness::Found| row["last_event"].as_str().unwrap().to_owned();
    assert_eq!(event(&database.row(WHY).await), "signed_in");
    for error in ["503", "503", "invalid_grant", "invalid_grant"] {
        database.run("update token_stream set first_error_at = first_error_at - interval '1 hour'").await;
        let claim = database.refresh(token_stream_id).await;
        if error == "503" {
            database.no_grant(&claim, store::refresh_job::AnswerSeen::Yes).await;
        } else {
            database.refused(&claim).await;
        }
        let row = database.row(WHY).await;
        assert_eq!(row["last_error_code"], error);
        assert!(row.column("was_well") == false);
    }
    let row = database.row(WHY).await;
    assert_eq!((&row["state"], &row["strikes"], &row["last_event"]), (&json!("suspect"), &json!(2), &json!("refused")));
    assert!(row.column("needs_no_probe") == false);
    let seen = "select extract(epoch from last_error_at - first_error_at) as seconds from token_health";
    let hours = database.number(seen).await / 3600.0;
    assert!((0.99..1.1).contains(&hours), "since the first of the same kind: {hours}");
    let claim = database.refresh(token_stream_id).await;
    let token = database.grant(&claim, "access", 1199).await.unwrap();
    let well = database.row(WHY).await;
    assert!(well["last_error_code"].is_null() && well.column("was_well") == true, "{well}");
    database.store.refuse_scope(&token, "a scope").await.unwrap();
    let told = json!({ "refused_scopes": ["a scope"], "last_event": "scope_refused", "last_event_detail": "a scope" });
    let row = database.row("select refused_scopes, last_event, last_event_detail from token_health").await;
    assert_eq!(row, told);
}

async fn a_login_without_the_scope_says_so_and_serves_nobody(database: Database) {
    const WHY: &str = r#"select h.state, h.last_error_code, h.first_error_at = h.last_refreshed_at as is_since_the_grant,
                                u.needs_login from token_health h, "user" u"#;
    let stream = database.login(1, "one").await;
    let told = async |code: Option<&str>, needs_login: bool| {
        let row = database.row(WHY).await;
        assert_eq!((row["state"].as_str(), row["last_error_code"].as_str()), (Some("active"), code));
        assert!(row.column("needs_login") == needs_login, "{row}");
        row
    };
    told(None, false).await;
    for (scopes, lacks) in [(vec![], true), (vec!["publicData".to_owned()], true), (vec![LIST_SCOPE.to_owned()], false)]
    {
        let (claim, access_token) = (database.refresh(stream).await, secret("access"));
        let expires_at = claim.claimed_at + TimeDelta::seconds(1199);
        let granted = Granted { access_token: &access_token, expires_at, owner_hash: None, scopes: &scopes };
        database.store.finish_granted(&database.keyring, &claim, granted).await.unwrap();
        let row = told(lacks.then_some("scope_missing"), lacks).await;
        assert!(!lacks || row.column("is_since_the_grant") == true, "{row}");
    }
    // What was worse is told first.
    database.run("update token_stream set last_refreshed_at = now() - interval '1 minute'").await;
    let claim = database.refresh(stream).await;
    database.refused(&claim).await;
    assert_eq!(database.row("select last_error_code from token_health").await["last_error_code"], "invalid_grant");
}

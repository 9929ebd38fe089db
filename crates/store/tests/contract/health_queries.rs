//! KillReport's three health queries run to the letter and give the rows that its operators know.

use std::collections::BTreeMap;

use crate::harness::{Database, contract};

contract![
    // The queries are written for PostgreSQL.
    postgres:
    expired_tokens,
    needing_refresh,
    last_refresh_times,
    an_empty_fleet_gives_no_rows,
];

const FILE: &str = include_str!("../../../../deploy/sql/killreport-health.sql");

type Rows = Vec<BTreeMap<String, Option<String>>>;

fn queries() -> [&'static str; 3] {
    let queries: Vec<&str> = FILE.split(';').map(str::trim).filter(|query| !query.is_empty()).collect();
    queries.try_into().expect("three queries")
}

/// Four pilots: minutes until the access token ends, and minutes since the last refresh.
async fn arrange(database: &Database) {
    for (id, name, left, since) in
        [(1, "Expired", -10, 31), (2, "Ending", 3, 17), (3, "Good", 15, 5), (4, "Newcomer", 0, 0)]
    {
        let token_stream_id = database.login(id, "token").await;
        database.run(format!("update character set character_name = '{name}' where character_id = {id}")).await;
        if name != "Newcomer" {
            database
                .run(format!(
                    "update token_stream set expires_at = now() + interval '{left} minutes',
                            last_refreshed_at = now() - interval '{since} minutes'
                     where token_stream_id = {token_stream_id}"
                ))
                .await;
        }
    }
    // A second, dead login does not change what is told of the first.
    let dead = database.login(3, "dead").await;
    database
        .run(format!(
            "update token_stream set state = 'dead', expires_at = now() - interval '1 day',
                    last_refreshed_at = now() - interval '1 day' where token_stream_id = {dead}"
        ))
        .await;
}

fn column<'rows>(rows: &'rows Rows, name: &str) -> Vec<Option<&'rows str>> {
    rows.iter().map(|row| row[name].as_deref()).collect()
}

fn assert_minutes(rows: &Rows, expected: &[Option<f64>]) {
    let minutes: Vec<Option<f64>> =
        column(rows, "minutes_remaining").into_iter().map(|text| text.map(|text| text.parse().unwrap())).collect();
    let close = |(found, expected): (&Option<f64>, &Option<f64>)| match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 0.5,
        (found, expected) => found == expected,
    };
    assert!(minutes.len() == expected.len() && minutes.iter().zip(expected).all(close), "{minutes:?}");
}

async fn expired_tokens(database: Database) {
    arrange(&database).await;
    let rows = database.verbatim(queries()[0]).await;
    let names = ["Expired", "Ending", "Good", "Newcomer"].map(Some);
    assert_eq!(column(&rows, "character_name"), names);
    assert_eq!(column(&rows, "is_expired"), [Some("t"), Some("f"), Some("f"), None]);
    assert_minutes(&rows, &[Some(-10.0), Some(3.0), Some(15.0), None]);
}

async fn needing_refresh(database: Database) {
    arrange(&database).await;
    let mut rows = database.verbatim(queries()[1]).await;
    rows.sort_by_key(|row| row["character_name"].clone());
    assert_eq!(column(&rows, "character_name"), [Some("Ending"), Some("Expired")]);
    assert_minutes(&rows, &[Some(3.0), Some(-10.0)]);
}

async fn last_refresh_times(database: Database) {
    arrange(&database).await;
    let rows = database.verbatim(queries()[2]).await;
    let names = ["Newcomer", "Good", "Ending", "Expired"].map(Some);
    assert_eq!(column(&rows, "character_name"), names);
    assert!(column(&rows, "last_refresh").iter().all(Option::is_some));
    let since = column(&rows, "time_since_refresh");
    assert!(since[1].unwrap().starts_with("00:05:") && since[3].unwrap().starts_with("00:31:"), "{since:?}");
}

async fn an_empty_fleet_gives_no_rows(database: Database) {
    for query in queries() {
        assert!(database.verbatim(query).await.is_empty(), "{query}");
    }
}

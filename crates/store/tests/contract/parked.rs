//! What is parked, as an operator sees it, and what he does with it.

use std::time::Duration;

use domain::{CorporationId, Counted, ListOwner, Verdict};
use serde_json::json;
use store::due::DueFilter;
use store::parked::{Action, Chosen, DROPPED, Operator};

use crate::harness::arrange::{character, claimant, killmail, references, sorted};
use crate::harness::{Database, contract};

contract![
    what_is_parked_is_told_with_its_cause,
    what_is_replayed_begins_anew_and_is_written_down,
    a_list_that_is_replayed_is_due_at_once,
    a_cause_chooses_all_that_have_it,
    what_is_dropped_is_never_asked_for_again_unless_it_is_replayed,
    all_that_is_known_of_a_killmail_is_told,
];

const CORPORATION: i64 = 98_000_001;

fn operator() -> Operator {
    Operator { name: Some("jessamy".to_owned()), note: Some("mended".to_owned()) }
}

fn parked(reason: &str) -> Verdict {
    Verdict::Parked { reason: reason.to_owned() }
}

/// Killmails 10 and 11 are parked, 12 is invalid, 13 is wanted, 14 is stored.
async fn given_up(database: &Database) {
    database.wanted(&references(10..=14)).await;
    for (id, reason) in [(10, "GET a killmail: ESI refused with 404"), (11, "the handler panicked: 5 > 3")] {
        let later = Verdict::RetryAfter { delay: Duration::ZERO, reason: "why".to_owned(), counted: Counted::Refusal };
        assert!(database.store.finish_detail(&database.detail(id).await, &later).await.unwrap());
        assert!(database.store.finish_detail(&database.detail(id).await, &parked(reason)).await.unwrap());
    }
    assert!(database.store.mark_invalid(&database.detail(12).await, "ESI refused with 422").await.unwrap());
    database.stored(14).await;
}

/// The lists of character 1 and of a corporation are parked, that of character 2 is not.
async fn lists_given_up(database: &Database) {
    let corporation_id = CorporationId::parse(CORPORATION).unwrap();
    let pilots = database.characters([1, 2]).await;
    assert!(database.store.add_corporation(corporation_id).await.unwrap());
    for owner in [ListOwner::from(pilots[0]), ListOwner::from(corporation_id)] {
        let claim = database.store.claim_list(owner, claimant(false)).await.unwrap().unwrap();
        assert!(database.store.finish_list(&claim, &parked("too odd")).await.unwrap());
    }
}

async fn told(database: &Database) -> Vec<(String, i64, String, String)> {
    let rows = database.store.parked().await.unwrap();
    let now = database.store.now().await.unwrap();
    assert!(rows.iter().all(|row| row.since.is_some_and(|since| since <= now)), "{rows:?}");
    rows.into_iter().map(|row| (row.kind, row.id, row.state, row.cause.unwrap())).collect()
}

fn row(kind: &str, id: i64, state: &str, cause: &str) -> (String, i64, String, String) {
    (kind.to_owned(), id, state.to_owned(), cause.to_owned())
}

async fn what_is_parked_is_told_with_its_cause(database: Database) {
    assert_eq!(database.store.parked().await.unwrap(), []);
    given_up(&database).await;
    lists_given_up(&database).await;
    assert_eq!(
        told(&database).await,
        [
            row("character", 1, "parked", "too odd"),
            row("corporation", CORPORATION, "parked", "too odd"),
            row("killmail", 10, "parked", "GET a killmail: ESI refused with 404"),
            row("killmail", 11, "parked", "the handler panicked: 5 > 3"),
            row("killmail", 12, "invalid", "ESI refused with 422"),
        ]
    );
    let states = database.store.states_of_killmails(&[10, 11, 12, 13, 14, 99].map(killmail)).await.unwrap();
    let states: Vec<_> = states.iter().map(|found| (found.state.as_str(), found.killmails)).collect();
    assert_eq!(states, [("invalid", 1), ("parked", 2), ("stored", 1), ("wanted", 1)]);
}

async fn what_is_replayed_begins_anew_and_is_written_down(database: Database) {
    given_up(&database).await;
    assert!(database.store.claim_details(&[10, 12].map(killmail), claimant(true)).await.unwrap().is_empty());
    for id in [10, 12] {
        let replayed = database.store.replay_parked(Chosen::Killmail(killmail(id)), &operator()).await.unwrap();
        assert_eq!(replayed, [format!("killmail:{id}")]);
        let again = database.store.replay_parked(Chosen::Killmail(killmail(id)), &operator()).await.unwrap();
        assert_eq!(again, [""; 0], "it is not parked any more");
        let claim = database.detail(id).await;
        assert_eq!((claim.tries.attempts, claim.tries.refusals), (1, 0));
    }
    assert_eq!(told(&database).await.len(), 1);
    let actions = database.store.operator_actions("killmail:10").await.unwrap();
    assert_eq!(actions.len(), 1, "{actions:?}");
    let told = serde_json::to_value(&actions[0]).unwrap();
    assert_eq!((&told["action"], &told["operator"]), (&json!("replay"), &json!("jessamy")));
    assert_eq!((&told["cause"], &told["note"]), (&json!("GET a killmail: ESI refused with 404"), &json!("mended")));
    let since = database.store.now().await.unwrap() - actions[0].at;
    assert!((0..60).contains(&since.num_seconds()), "{since}");
}

async fn a_list_that_is_replayed_is_due_at_once(database: Database) {
    lists_given_up(&database).await;
    let owner = ListOwner::from(character(1));
    assert!(database.store.claim_list(owner, claimant(false)).await.unwrap().is_none(), "a day later");
    let replayed = database.store.replay_parked(Chosen::List(owner), &Operator::default()).await.unwrap();
    assert_eq!(replayed, ["character:1"]);
    assert_eq!(told(&database).await, [row("corporation", CORPORATION, "parked", "too odd")]);
    let list = database.store.list_row(owner).await.unwrap().unwrap();
    assert_eq!((list.attempt, list.last_verdict, list.last_reason), (0, None, None));
    assert_eq!(database.store.claim_list(owner, claimant(false)).await.unwrap().unwrap().attempt, 1);
    let replayed = database.store.replay_parked(Chosen::All, &Operator::default()).await.unwrap();
    assert_eq!(replayed, [format!("corporation:{CORPORATION}")]);
    let filter = DueFilter::default();
    assert_eq!(database.store.count_due_corporations(filter).await.unwrap(), 1);
    assert!(database.store.list_row(ListOwner::from(character(3))).await.unwrap().is_none());
}

async fn a_cause_chooses_all_that_have_it(database: Database) {
    given_up(&database).await;
    lists_given_up(&database).await;
    let nobody = Operator::default();
    assert_eq!(database.store.replay_parked(Chosen::Cause("%"), &nobody).await.unwrap(), [""; 0]);
    let refused = database.store.replay_parked(Chosen::Cause("ESI refused"), &nobody).await.unwrap();
    assert_eq!(refused, ["killmail:10", "killmail:12"]);
    let odd = database.store.replay_parked(Chosen::Cause("too odd"), &nobody).await.unwrap();
    assert_eq!(odd, ["character:1".to_owned(), format!("corporation:{CORPORATION}")]);
    assert_eq!(told(&database).await, [row("killmail", 11, "parked", "the handler panicked: 5 > 3")]);
    assert!(database.value("select count(*) as actions from operator_action").await == json!(4));
}

async fn what_is_dropped_is_never_asked_for_again_unless_it_is_replayed(database: Database) {
    given_up(&database).await;
    lists_given_up(&database).await;
    assert_eq!(
        database.store.drop_parked(Chosen::List(character(1).into()), &operator()).await.unwrap(),
        [""; 0],
        "no list is given up"
    );
    let dropped = database.store.drop_parked(Chosen::All, &operator()).await.unwrap();
    assert_eq!(dropped, ["killmail:10", "killmail:11"], "what is invalid is given up already");
    let dropped = database.store.drop_parked(Chosen::Killmail(killmail(12)), &operator()).await.unwrap();
    assert_eq!(dropped, ["killmail:12"]);
    assert_eq!(
        database.store.replay_parked(Chosen::All, &operator()).await.unwrap(),
        ["character:1".to_owned(), format!("corporation:{CORPORATION}")],
        "ESI is not asked again for all that it has said no to"
    );
    assert_eq!(database.store.drop_parked(Chosen::All, &operator()).await.unwrap(), [""; 0], "once");
    let killmails: Vec<_> = told(&database).await.into_iter().filter(|row| row.0 == "killmail").collect();
    assert_eq!(killmails, [10, 11, 12].map(|id| row("killmail", id, "invalid", DROPPED)));
    assert_eq!(database.store.status().await.unwrap().killmails_invalid, 3);
    assert!(database.store.claim_details(&[10, 11, 12].map(killmail), claimant(true)).await.unwrap().is_empty());
    let replayed = database.store.replay_parked(Chosen::Cause(DROPPED), &operator()).await.unwrap();
    assert_eq!(replayed.len(), 3);
    let actions = database.store.operator_actions("killmail:11").await.unwrap();
    let actions: Vec<_> = actions.iter().map(|done| (done.action.as_str(), done.cause.as_deref().unwrap())).collect();
    assert_eq!(
        actions,
        [(Action::Drop.name(), "the handler panicked: 5 > 3"), (Action::Replay.name(), DROPPED)],
        "the first first"
    );
}

async fn all_that_is_known_of_a_killmail_is_told(database: Database) {
    given_up(&database).await;
    assert!(database.store.explain_killmail(killmail(99)).await.unwrap().is_none());
    database.store.replay_parked(Chosen::Killmail(killmail(11)), &operator()).await.unwrap();
    let explained = database.store.explain_killmail(killmail(11)).await.unwrap().unwrap();
    assert_eq!((explained.reference.killmail_id, explained.reference.state.as_str()), (11, "wanted"));
    assert_eq!(sorted(explained.characters), [89_999_999]);
    assert_eq!(explained.corporations, [0; 0]);
    assert_eq!(explained.actions.len(), 1);
    let parked = database.store.explain_killmail(killmail(10)).await.unwrap().unwrap();
    assert_eq!((parked.reference.refusals, parked.actions.len()), (2, 0));
}

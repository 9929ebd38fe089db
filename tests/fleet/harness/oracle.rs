//! How every test ends: the database says what the simulator knows to be true, nothing is left over, and nobody was
//! annoyed on the way.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Duration, interval};

use super::fleet::{CLIENT_SECRET, Fleet, TOKEN_KEY};
use super::queues::{self, Queues};
use super::simulator::{Counters, Truth};

/// What a test has brought about on purpose.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    /// Characters whose list was never read to its end: their tokens may be refused, their killmails not stored.
    pub(crate) unserved: Vec<i64>,
    /// Killmails that ESI refuses: not stored.
    pub(crate) invalid: Vec<i64>,
    /// Killmails whose stored body has members on top of the true one.
    pub(crate) extended: Vec<i64>,
    /// Requests for bodies beyond one for each killmail, at the most.
    pub(crate) repeated_details: u64,
    /// Pages that were asked for again before their `Expires`, at the most: nobody had read the first answer.
    pub(crate) repeated_pages: u64,
    pub(crate) parked_messages: u32,
    /// Corporations whose lists were read to their ends.
    pub(crate) read_corporations: Vec<i64>,
}

impl Fleet<'_> {
    pub(crate) async fn is_true(&self) {
        self.is_true_but(Exceptions::default()).await;
    }

    pub(crate) async fn is_true_but(&self, exceptions: Exceptions) {
        self.standalone_has_ended().await;
        let truth = self.simulator.truth().await;
        let expected = expected_lists(&truth, &exceptions);
        self.lists_are(&expected, &exceptions).await;
        let of_corporations = self.corporation_lists_are(&truth, &exceptions.read_corporations).await;
        let killmail_ids: BTreeSet<i64> = expected.values().flatten().copied().chain(of_corporations).collect();
        self.bodies_are(&truth, &killmail_ids, &exceptions).await;
        self.nothing_is_left(&exceptions).await;
        nobody_was_annoyed(&self.simulator.counters().await, &exceptions);
        self.no_secret_was_printed().await;
    }

    async fn lists_are(&self, expected: &BTreeMap<i64, BTreeSet<i64>>, exceptions: &Exceptions) {
        let rows: Vec<(i64, i64)> =
            self.database.rows("select character_id, killmail_id from character_killmail").await;
        let mut lists: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for (character_id, killmail_id) in rows.into_iter().filter(|(id, _)| !exceptions.unserved.contains(id)) {
            lists.entry(character_id).or_default().insert(killmail_id);
        }
        let expected: BTreeMap<_, _> = expected.iter().filter(|(_, list)| !list.is_empty()).collect();
        assert_eq!(lists.iter().collect::<BTreeMap<_, _>>(), expected, "the lists are not what ESI shows");
    }

    /// Gives what is on these lists.
    async fn corporation_lists_are(&self, truth: &Truth, corporation_ids: &[i64]) -> BTreeSet<i64> {
        let mut all = BTreeSet::new();
        for corporation_id in corporation_ids {
            let sql = format!("select killmail_id from corporation_killmail where corporation_id = {corporation_id}");
            let rows: Vec<(i64,)> = self.database.rows(&sql).await;
            let list: BTreeSet<i64> = rows.into_iter().map(|(killmail_id,)| killmail_id).collect();
            let expected = truth.corporation_lists.iter().find(|list| list.corporation_id == *corporation_id);
            let expected = expected.map(|list| list.killmail_ids.clone()).unwrap_or_default();
            assert_eq!(list, expected, "the list of corporation {corporation_id} is not what ESI shows");
            all.extend(list);
        }
        all
    }

    async fn bodies_are(&self, truth: &Truth, listed: &BTreeSet<i64>, exceptions: &Exceptions) {
        let expected: Vec<_> = truth
            .killmails
            .iter()
            .filter(|killmail| listed.contains(&killmail.killmail_id))
            .filter(|killmail| !exceptions.invalid.contains(&killmail.killmail_id))
            .collect();
        let ids: Vec<i64> = expected.iter().map(|killmail| killmail.killmail_id).collect();
        let stored: Vec<(i64,)> = self.database.rows("select killmail_id from killmail order by 1").await;
        let stored: Vec<i64> = stored.into_iter().map(|(killmail_id,)| killmail_id).collect();
        assert_eq!(stored, ids, "these killmails are stored, not those that the lists show");
        let differing = self.database.differences(&expected, &exceptions.extended).await;
        assert_eq!(differing, [], "killmails are stored otherwise than ESI sent them");
    }

    async fn nothing_is_left(&self, exceptions: &Exceptions) {
        if let Some(queues) = self.queues {
            no_message_is_left(queues, exceptions.parked_messages).await;
        }
        let unserved = list(&exceptions.unserved);
        for left_over in [
            "character where lease_until is not null or hinted_at is not null".to_owned(),
            "killmail_ref where lease_until is not null or hinted_at is not null".to_owned(),
            "killmail_ref where state not in ('stored', 'invalid')".to_owned(),
            // One in the past is the mark of an answer that was lost.
            "token_stream where lease_until > now()".to_owned(),
            format!("token_stream where (state <> 'active' or strikes > 0) and character_id not in {unserved}"),
            "sso_slot where lease_until > now()".to_owned(),
            "fleet_pause where until > now()".to_owned(),
        ] {
            assert_eq!(self.database.count(&left_over).await, 0, "left over: {left_over}");
        }
    }

    async fn no_secret_was_printed(&self) {
        self.outputs.assert_silent_about("eyJ", "an access token");
        self.outputs.assert_silent_about(CLIENT_SECRET, "the client secret");
        self.outputs.assert_silent_about(TOKEN_KEY.split_once(':').expect("it has two parts").1, "the token key");
        for token in self.simulator.live_refresh_tokens().await.values().flatten() {
            self.outputs.assert_silent_about(token, "a refresh token");
        }
    }
}

async fn no_message_is_left(queues: &Queues, parked: u32) {
    // Several looks: what a closed connection did not acknowledge is ready again some milliseconds later.
    let mut look = interval(Duration::from_millis(20));
    for _ in 0..3 {
        look.tick().await;
        for queue in queues::ALL {
            let expected = if queue == "parked" { parked } else { 0 };
            assert_eq!(queues.ready(queue).await, expected, "messages in {queue}");
        }
    }
}

/// For `in` and `not in`. With 0, which is nobody: a list with nothing in it is no SQL.
pub(crate) fn list(ids: &[i64]) -> String {
    let ids: String = ids.iter().map(|id| format!(", {id}")).collect();
    format!("(0{ids})")
}

fn expected_lists(truth: &Truth, exceptions: &Exceptions) -> BTreeMap<i64, BTreeSet<i64>> {
    let served = truth.lists.iter().filter(|list| !exceptions.unserved.contains(&list.character_id));
    served.map(|list| (list.character_id, list.killmail_ids.iter().copied().collect())).collect()
}

fn nobody_was_annoyed(counters: &Counters, exceptions: &Exceptions) {
    let early = counters.requests_before_expiry;
    assert!(early <= exceptions.repeated_pages, "{early} pages were asked for before their Expires");
    assert_eq!(counters.budget_overdrawn, 0, "a budget was overdrawn");
    assert_eq!(counters.requests_while_error_limited, 0, "ESI was asked while it refused everything");
    assert_eq!(counters.missing_user_agent, 0, "requests had no User-Agent");
    let in_parallel = counters.parallel_affiliation_calls_max;
    assert!(
        in_parallel <= 1,
        "{in_parallel} calls of the affiliation route, which has no bucket, were in flight at once"
    );
    let mut corporations = counters.corporation_list_calls_by_corporation.keys();
    let npc = corporations.find(|corporation_id| (1_000_000..2_000_000).contains(*corporation_id));
    assert_eq!(npc, None, "the list of an NPC corporation was asked for, which nobody may read");
    let repeated: u64 = counters.detail_calls_by_killmail.values().map(|calls| calls - 1).sum();
    assert!(repeated <= exceptions.repeated_details, "{repeated} bodies were asked for again");
}

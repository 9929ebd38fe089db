//! Every way in which a provider can be set, over whole lives of logins: none is lost by us, and no strike is
//! remembered but for a refusal that was meant.
//!
//! The grid is the product of how refresh tokens are handled, of two lifetimes, and of how the client says who it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Exceptions, Fleet, On, World, eventually, fleet, on_both};

on_both![
    tokens_that_last_for_a_client_with_a_secret,
    tokens_that_last_for_a_client_with_its_secret_in_the_body,
    tokens_that_last_for_a_client_without_a_secret,
    tokens_that_are_good_once_for_a_client_with_a_secret,
    tokens_that_are_good_once_for_a_client_with_its_secret_in_the_body,
    tokens_that_are_good_once_for_a_client_without_a_secret,
    tokens_with_a_grace_for_a_client_with_a_secret,
    tokens_with_a_grace_for_a_client_with_its_secret_in_the_body,
    tokens_with_a_grace_for_a_client_without_a_secret,
];

const CHARACTERS: usize = 3;
/// Between two refreshes. Access tokens live for 20 minutes.
const BETWEEN_MINUTES: u32 = 25;
/// Longer than the time between two refreshes, shorter than twice that: it has to begin anew with each.
const SLIDING_MINUTES: u32 = 30;
/// Over with the second time between refreshes, however often the login was refreshed.
const ABSOLUTE_MINUTES: u32 = 40;

/// Characters that are queued or worked on.
const IN_HAND: &str = "character where hinted_at is not null or lease_until is not null";

const LIST_SCOPE: &str = "esi-killmails.read_killmails.v1";
const OTHER_SCOPE: &str = "esi-assets.read_assets.v1";

#[derive(Debug, Clone, Copy)]
struct Handling {
    rotation: &'static str,
    grace_seconds: u32,
    replay: &'static str,
}

const LASTING: [Handling; 2] = [
    Handling { rotation: "re-use", grace_seconds: 0, replay: "refuse" },
    Handling { rotation: "always", grace_seconds: 0, replay: "refuse" },
];
const GOOD_ONCE: [Handling; 2] = [
    Handling { rotation: "one-time-only", grace_seconds: 0, replay: "refuse" },
    Handling { rotation: "one-time-only", grace_seconds: 0, replay: "revoke-login" },
];
const WITH_A_GRACE: [Handling; 2] = [
    Handling { rotation: "one-time-only", grace_seconds: 60, replay: "refuse" },
    Handling { rotation: "one-time-only", grace_seconds: 60, replay: "revoke-login" },
];

/// A place in the grid, but for the client.
#[derive(Debug, Clone, Copy)]
struct Settings {
    handling: Handling,
    /// A refresh token that is not used for too long ends.
    slides: bool,
    /// A login ends, whatever is done with it.
    ends: bool,
}

impl Settings {
    fn all(handlings: [Handling; 2]) -> impl Iterator<Item = Self> {
        let lifetimes = [(false, false), (false, true), (true, false), (true, true)];
        handlings.into_iter().flat_map(move |handling| lifetimes.map(|(slides, ends)| Self { handling, slides, ends }))
    }

    fn json(self) -> Value {
        let Handling { rotation, grace_seconds, replay } = self.handling;
        json!({
            "rotation": rotation,
            "grace_seconds": grace_seconds,
            "replay": replay,
            "sliding_lifetime_seconds": self.slides.then_some(SLIDING_MINUTES * 60),
            "absolute_lifetime_seconds": self.ends.then_some(ABSOLUTE_MINUTES * 60),
        })
    }

    fn brings_another_token(self) -> bool {
        self.handling.rotation != "re-use"
    }

    /// The old refresh token works still, when the new one was lost on its way.
    fn forgives_a_lost_answer(self) -> bool {
        self.handling.rotation != "one-time-only" || self.handling.grace_seconds > 0
    }
}

/// A provider as it is set, and a fleet in its hands.
struct Life<'test> {
    on: On,
    fleet: &'test Fleet<'test>,
    settings: Settings,
    ids: &'test [i64],
    /// The character that loses an answer.
    losing: i64,
}

fn on_every_place(on: On, handlings: [Handling; 2], client_auth: &'static str) {
    let world = World::of(CHARACTERS as u32, 8).nobody_signed_in().with("--window-seconds=1");
    let world = world.with(&format!("--client-auth={client_auth}")).setting("KILLFLEET_SSO_CLIENT_AUTH", client_auth);
    let world = if client_auth == "none" { world.setting("KILLFLEET_CLIENT_SECRET", "") } else { world };
    fleet(on, world, async |fleet: &Fleet| {
        fleet.everybody_signed_in_long_ago().await;
        let ids: Vec<i64> = fleet.simulator.pilots().await.iter().map(|pilot| pilot.character_id).collect();
        let worker = (on == On::Services).then(|| fleet.worker(&[]).start());
        for (number, settings) in Settings::all(handlings).enumerate() {
            fleet.simulator.set_sso(&settings.json()).await;
            Life { on, fleet, settings, ids: &ids, losing: ids[number % CHARACTERS] }.goes_by().await;
        }
        if let Some(worker) = worker {
            worker.signal("TERM");
            worker.ended().await.well();
        }
        // Time has passed for the fleet and not for the lists of ESI.
        fleet.is_true_but(Exceptions { repeated_pages: 1000, ..Exceptions::default() }).await;
    });
}

/// Logins that are well, hold a good token and were granted these scopes and no others.
fn well(scopes: &[&str]) -> String {
    let has = |scope: &&str| if scopes.contains(scope) { "like" } else { "not like" };
    let scopes = [LIST_SCOPE, OTHER_SCOPE].map(|scope| {
        let has = has(&scope);
        format!("and cast(granted_scopes as text) {has} '%{scope}%'")
    });
    format!(
        "token_stream where state = 'active' and strikes = 0 and last_error_code is null and lease_until is null
         and expires_at > now() {}",
        scopes.join(" ")
    )
}

impl Life<'_> {
    async fn goes_by(&self) {
        self.time_passes(BETWEEN_MINUTES).await;
        self.claims_change_and_an_answer_is_lost().await;
        self.the_lost_answer_is_mended_or_remembered().await;
        self.time_passes(BETWEEN_MINUTES).await;
        if self.settings.ends {
            self.all_logins_are_over().await;
        } else {
            self.everybody_is_refreshed().await;
        }
        if self.settings.slides && !self.settings.ends {
            self.time_passes(SLIDING_MINUTES).await;
            self.all_logins_are_over().await;
        }
        self.a_new_login_serves().await;
    }

    async fn claims_change_and_an_answer_is_lost(&self) {
        let Self { fleet, settings, ids, losing, .. } = self;
        for &id in *ids {
            let changes = json!({ "name": format!("Renamed {id}"), "scopes": [LIST_SCOPE, OTHER_SCOPE] });
            fleet.simulator.change(id, &changes).await;
        }
        let lose = json!([{ "on": "token", "character_id": losing, "do": { "kind": "lost_answer" } }]);
        fleet.simulator.fault(lose).await;
        fleet.simulator.reset_counters().await;
        self.one_round().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), CHARACTERS as u64, "{settings:?}");
        fleet.simulator.heal().await;
        assert_eq!(self.count(&well(&[LIST_SCOPE, OTHER_SCOPE])).await, CHARACTERS as i64 - 1, "{settings:?}");
        let open = format!(
            "token_stream where character_id = {losing} and state = 'active' and strikes = 0
             and last_error_code = 'sso_unreachable' and lease_until <= now()"
        );
        assert_eq!(self.count(&open).await, 1, "{settings:?}");
    }

    async fn the_lost_answer_is_mended_or_remembered(&self) {
        let Self { fleet, settings, losing, .. } = self;
        self.one_round().await;
        let calls = fleet.simulator.counters().await;
        assert_eq!(calls.requests_to("token"), CHARACTERS as u64 + 1, "{settings:?}: that one is tried again");
        assert_eq!(calls.answers_with(401), 0, "{settings:?}");
        let mended = settings.forgives_a_lost_answer();
        let expected = CHARACTERS as i64 - i64::from(!mended);
        assert_eq!(self.count(&well(&[LIST_SCOPE, OTHER_SCOPE])).await, expected, "{settings:?}");
        let remembered = format!(
            "token_stream where character_id = {losing} and state = 'suspect' and strikes = 1
             and last_error_code = 'lost_answer'"
        );
        assert_eq!(self.count(&remembered).await, i64::from(!mended), "{settings:?}");
        self.every_held_token_works_but_the_lost_one().await;
    }

    async fn everybody_is_refreshed(&self) {
        let Self { fleet, settings, ids, .. } = self;
        for &id in *ids {
            fleet.simulator.change(id, &json!({ "scopes": [LIST_SCOPE] })).await;
        }
        let before = fleet.held_refresh_tokens().await;
        self.one_round().await;
        assert_eq!(fleet.held_refresh_tokens().await != before, settings.brings_another_token(), "{settings:?}");
        let expected = CHARACTERS as i64 - i64::from(!settings.forgives_a_lost_answer());
        assert_eq!(self.count(&well(&[LIST_SCOPE])).await, expected, "{settings:?}");
        self.every_held_token_works_but_the_lost_one().await;
    }

    /// A refusal that is meant is remembered as one.
    async fn all_logins_are_over(&self) {
        let Self { settings, losing, .. } = self;
        self.one_round().await;
        let refused = "token_stream where state = 'suspect' and strikes = 1 and last_error_code = 'invalid_grant'";
        let lost = format!(
            "token_stream where character_id = {losing} and state = 'suspect'
             and last_error_code = 'lost_answer'"
        );
        let is_lost = i64::from(!settings.forgives_a_lost_answer());
        let counts = (self.count(refused).await, self.count(&lost).await);
        assert_eq!(counts, (CHARACTERS as i64 - is_lost, is_lost), "{settings:?}");
    }

    /// What is over stays beside it, and is removed once that was seen.
    async fn a_new_login_serves(&self) {
        let Self { fleet, settings, ids, .. } = self;
        fleet.database.execute("delete from token_stream where state = 'active'").await;
        let mut tokens = Vec::new();
        for &id in *ids {
            tokens.push((id, fleet.simulator.login(id).await));
        }
        fleet.signed_in_long_ago(tokens).await;
        self.one_round().await;
        assert_eq!(self.count(&well(&[LIST_SCOPE])).await, CHARACTERS as i64, "{settings:?}");
        fleet.database.execute("delete from token_stream where state <> 'active'").await;
    }

    /// Everybody's list is asked for, and every login is refreshed that has to be for it.
    async fn one_round(&self) {
        let Self { on, fleet, .. } = self;
        fleet.database.execute("update character set next_sync_at = now(), list_expires_at = null").await;
        fleet.tick(&[]).await;
        match on {
            On::Services => eventually("the worker has done it", async || self.count(IN_HAND).await == 0).await,
            On::Standalone => fleet.drain().await,
        }
    }

    async fn time_passes(&self, minutes: u32) {
        self.fleet.simulator.age_logins(minutes * 60).await;
        self.fleet.database.let_minutes_pass(minutes).await;
    }

    async fn every_held_token_works_but_the_lost_one(&self) {
        let lost = (!self.settings.forgives_a_lost_answer()).then_some(self.losing);
        let without = self.fleet.with_a_token_that_does_not_work().await;
        assert_eq!(without, BTreeSet::from_iter(lost), "{:?}", self.settings);
    }

    async fn count(&self, from: &str) -> i64 {
        self.fleet.database.count(from).await
    }
}

fn tokens_that_last_for_a_client_with_a_secret(on: On) {
    on_every_place(on, LASTING, "basic");
}

fn tokens_that_last_for_a_client_with_its_secret_in_the_body(on: On) {
    on_every_place(on, LASTING, "body");
}

fn tokens_that_last_for_a_client_without_a_secret(on: On) {
    on_every_place(on, LASTING, "none");
}

fn tokens_that_are_good_once_for_a_client_with_a_secret(on: On) {
    on_every_place(on, GOOD_ONCE, "basic");
}

fn tokens_that_are_good_once_for_a_client_with_its_secret_in_the_body(on: On) {
    on_every_place(on, GOOD_ONCE, "body");
}

fn tokens_that_are_good_once_for_a_client_without_a_secret(on: On) {
    on_every_place(on, GOOD_ONCE, "none");
}

fn tokens_with_a_grace_for_a_client_with_a_secret(on: On) {
    on_every_place(on, WITH_A_GRACE, "basic");
}

fn tokens_with_a_grace_for_a_client_with_its_secret_in_the_body(on: On) {
    on_every_place(on, WITH_A_GRACE, "body");
}

fn tokens_with_a_grace_for_a_client_without_a_secret(on: On) {
    on_every_place(on, WITH_A_GRACE, "none");
}

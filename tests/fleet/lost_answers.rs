//! The provider has done what it was asked for, and its answer never arrives: told apart from a revocation, and mended
//! by the next refresh wherever the provider lets it.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Tick, World, fleet, list, on_both};

on_both![
    with_a_refresh_token_that_stays_nothing_has_happened,
    with_another_refresh_token_each_time_the_old_one_goes_on,
    with_a_consumed_refresh_token_its_grace_is_used,
    with_a_consumed_refresh_token_the_row_says_that_an_answer_was_lost,
    with_a_replay_that_costs_the_login_the_row_says_that_an_answer_was_lost,
];

/// A character whose answer is lost, and one whose user revokes the login: the rows tell which is which.
fn an_answer_is_lost(on: On, flags: &[&str], is_mended: bool) {
    let world = flags.iter().fold(World::of(3, 9), |world, flag| world.with(flag));
    fleet(on, world, async |fleet: &Fleet| {
        let ids: Vec<i64> = fleet.simulator.pilots().await.iter().map(|pilot| pilot.character_id).collect();
        let [losing, revoked] = [ids[0], ids[1]];
        fleet.simulator.revoke(revoked).await;
        fleet.let_tokens_expire().await;
        let lose = json!([{ "on": "token", "character_id": losing, "do": { "kind": "lost_answer" } }]);
        fleet.simulator.fault(lose).await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        let remembered = format!(
            "token_stream where character_id = {losing} and state = 'active' and strikes = 0
             and last_error_code = 'sso_unreachable' and lease_until <= now()"
        );
        assert_eq!(fleet.database.count(&remembered).await, 1, "its lease is left open in the past");

        fleet.simulator.heal().await;
        fleet.make_due().await;
        let tick = fleet.tick(&[]).await;
        assert_eq!((tick.queued_refresh, tick.queued_list), (1, 0), "{tick:?}");
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.token_calls_by_character[&losing], 2);
        let suspects: Vec<(i64, String)> = fleet
            .database
            .rows("select character_id, last_error_code from token_stream where state = 'suspect' and strikes = 1")
            .await;
        let mut expected = vec![(revoked, "invalid_grant".to_owned())];
        let mut unserved = vec![revoked];
        if !is_mended {
            expected.push((losing, "lost_answer".to_owned()));
            unserved.push(losing);
        }
        expected.sort_unstable();
        assert_eq!(sorted(suspects), expected);
        assert_eq!(Vec::from_iter(fleet.with_a_token_that_does_not_work().await), sorted(unserved.clone()));
        let settled = format!("token_stream where lease_until is null and character_id not in {}", list(&unserved));
        assert_eq!(fleet.database.count(&settled).await, 3 - unserved.len() as i64, "a grant closes the lease");
        fleet.is_true_but(Exceptions { unserved, ..Exceptions::default() }).await;
    });
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values
}

fn with_a_refresh_token_that_stays_nothing_has_happened(on: On) {
    an_answer_is_lost(on, &["--rotation=re-use"], true);
}

fn with_another_refresh_token_each_time_the_old_one_goes_on(on: On) {
    an_answer_is_lost(on, &["--rotation=always"], true);
}

fn with_a_consumed_refresh_token_its_grace_is_used(on: On) {
    an_answer_is_lost(on, &["--rotation=one-time-only", "--grace-seconds=600"], true);
}

fn with_a_consumed_refresh_token_the_row_says_that_an_answer_was_lost(on: On) {
    an_answer_is_lost(on, &["--rotation=one-time-only"], false);
}

fn with_a_replay_that_costs_the_login_the_row_says_that_an_answer_was_lost(on: On) {
    an_answer_is_lost(on, &["--rotation=one-time-only", "--replay=revoke-login"], false);
}

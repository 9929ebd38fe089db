//! Logins that EVE SSO refuses: acknowledged and skipped, remembered as what they are, never tried in place.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Tick, World, fleet, list, on_both};

on_both![
    three_of_ten_are_refused_and_seven_are_served,
    a_login_that_is_refused_with_401_is_no_refusal_of_our_client,
    another_login_of_the_same_character_takes_over,
];

fn three_of_ten_are_refused_and_seven_are_served(on: On) {
    fleet(on, World::of(10, 40), async |fleet: &Fleet| {
        let refused: Vec<i64> = fleet.simulator.pilots().await.iter().take(3).map(|pilot| pilot.character_id).collect();
        for character_id in &refused {
            fleet.simulator.revoke(*character_id).await;
        }
        let sealed = format!(
            "select refresh_token_sealed from token_stream where character_id in {} order by token_stream_id",
            list(&refused)
        );
        let kept: Vec<(Vec<u8>,)> = fleet.database.rows(&sealed).await;
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(10));
        fleet.drain().await;

        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.answers_with(400), 3);
        assert_eq!(counters.requests_to("token"), 10, "each was asked once");
        let remembered = format!(
            "token_stream where character_id in {} and state = 'suspect' and strikes = 1
             and last_error_code = 'invalid_grant' and last_error is not null and first_refused_at is not null
             and next_probe_at between now() + interval '14 minutes' and now() + interval '15 minutes'",
            list(&refused)
        );
        assert_eq!(fleet.database.count(&remembered).await, 3);
        assert_eq!(fleet.database.rows::<(Vec<u8>,)>(&sealed).await, kept, "the refresh token is kept");
        let told = format!(
            "character where character_id in {} and last_verdict = 'skipped' and last_reason = 'waiting_for_probe'",
            list(&refused)
        );
        assert_eq!(fleet.database.count(&told).await, 3);

        let tick = Tick { due: 3, skipped: [("waiting_for_probe".to_owned(), 3)].into(), ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, tick);
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 10, "nobody is asked again");
        fleet.is_true_but(Exceptions { unserved: refused, ..Exceptions::default() }).await;
    });
}

fn a_login_that_is_refused_with_401_is_no_refusal_of_our_client(on: On) {
    fleet(on, World::of(3, 10), async |fleet: &Fleet| {
        let refused = fleet.simulator.pilots().await[0].character_id;
        let answer = json!({ "kind": "answer", "status": 401, "body": r#"{"error":"invalid_grant"}"# });
        fleet.simulator.fault(json!([{ "on": "token", "character_id": refused, "do": answer }])).await;
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(3));
        fleet.drain().await;
        let remembered = format!(
            "token_stream s join character c using (character_id)
             where character_id = {refused} and state = 'suspect' and strikes = 1 and last_error_code = 'invalid_grant'
               and c.last_verdict = 'skipped' and c.last_reason = 'waiting_for_probe'"
        );
        assert_eq!(fleet.database.count(&remembered).await, 1);
        assert_eq!(
            fleet.simulator.counters().await.requests_to("token"),
            3,
            "all refreshes go on, and none is tried again"
        );
        fleet.is_true_but(Exceptions { unserved: vec![refused], ..Exceptions::default() }).await;
    });
}

fn another_login_of_the_same_character_takes_over(on: On) {
    fleet(on, World::of(2, 10), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        fleet.simulator.revoke(character_id).await;
        let token = fleet.simulator.login(character_id).await;
        fleet.add(character_id, &token).run().await.well();
        fleet.simulator.reset_counters().await;
        // The refused one looks the fresher of the two: it is tried first.
        fleet
            .database
            .execute(
                "update token_stream set expires_at = now() - interval '1 minute';
                 update token_stream set expires_at = now() - interval '2 minutes'
                 where exists (select 1 from token_stream older where older.character_id = token_stream.character_id
                               and older.token_stream_id < token_stream.token_stream_id);
                 update character set next_sync_at = now()",
            )
            .await;
        assert_eq!(fleet.tick(&[]).await, Tick::only_refreshed(2));
        fleet.drain().await;
        let counters = fleet.simulator.counters().await;
        assert_eq!(counters.answers_with(400), 1);
        let states: Vec<(String,)> = fleet
            .database
            .rows(&format!(
                "select state from token_stream where character_id = {character_id} order by token_stream_id"
            ))
            .await;
        assert_eq!(states, [("suspect".to_owned(),), ("active".to_owned(),)]);
        // Its login was refused, but the character is served: the lists are compared here.
        fleet.database.execute("delete from token_stream where state = 'suspect'").await;
        fleet.is_true().await;
    });
}

//! A character without any token: skipped, counted, and never a reason to keep a message.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, Tick, World, fleet, message, on_both};

on_both![both_tokens_missing,];

fn both_tokens_missing(on: On) {
    fleet(on, World::of(4, 15), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let forget = "update token_stream set access_token_sealed = null, refresh_token_sealed = null";
        fleet.database.execute(&format!("{forget} where character_id = {character_id}")).await;
        let skipped = [("both_tokens_missing".to_owned(), 1)];
        let tick = Tick { due: 4, queued_list: 3, skipped: skipped.clone().into(), ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, tick);
        fleet.drain().await;
        let needs_login = format!(r#""user" where needs_login and character_id = {character_id}"#);
        assert_eq!(fleet.database.count(&needs_login).await, 1);

        assert_eq!(fleet.tick(&[]).await, Tick { due: 1, skipped: skipped.into(), ..Tick::default() });
        let calls = fleet.simulator.counters().await.list_calls_by_character;
        assert!(!calls.contains_key(&character_id), "nothing was asked for it");
        fleet.is_true_but(Exceptions { unserved: vec![character_id], ..Exceptions::default() }).await;
    });
}

#[test]
fn a_message_for_it_as_an_older_tick_may_have_left_it() {
    fleet(On::Services, World::of(2, 6), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let forget = "update token_stream set access_token_sealed = null, refresh_token_sealed = null";
        fleet.database.execute(&format!("{forget} where character_id = {character_id}")).await;
        assert_eq!(fleet.tick(&[]).await.queued_list, 1);
        let job = json!({ "kind": "sync_list", "character_id": character_id, "mode": "new" });
        fleet.queues().publish("list", &message(&job)).await;
        fleet.drain().await;
        let row: (String, String) = fleet
            .database
            .rows(&format!("select last_verdict, last_reason from character where character_id = {character_id}"))
            .await
            .remove(0);
        assert_eq!(row, ("skipped".to_owned(), "both_tokens_missing".to_owned()));
        fleet.is_true_but(Exceptions { unserved: vec![character_id], ..Exceptions::default() }).await;
    });
}

//! A character without any token: skipped, counted, and never a reason to keep a message.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, Tick, World, fleet, message};

#[test]
fn both_tokens_missing() {
    fleet(World::of(4, 15), async |fleet: &Fleet| {
        let character_id = fleet.simulator.pilots().await[0].character_id;
        let forget = "update token_stream set access_token_sealed = null, refresh_token_sealed = null";
        fleet.database.execute(&format!("{forget} where character_id = {character_id}")).await;
        let skipped = [("both_tokens_missing".to_owned(), 1)];
        let tick = Tick { due: 4, queued_list: 3, skipped: skipped.clone().into(), ..Tick::default() };
        assert_eq!(fleet.tick(&[]).await, tick);
        fleet.drain().await;

        // A message for it, as an older tick may have left it.
        let job = json!({ "kind": "sync_list", "character_id": character_id, "mode": "new" });
        fleet.queues.publish("list", &message(&job)).await;
        fleet.drain().await;
        let row: (String, String) = fleet
            .database
            .rows(&format!("select last_verdict, last_reason from character where character_id = {character_id}"))
            .await
            .remove(0);
        assert_eq!(row, ("skipped".to_owned(), "both_tokens_missing".to_owned()));
        let needs_login = format!(r#""user" where needs_login and character_id = {character_id}"#);
        assert_eq!(fleet.database.count(&needs_login).await, 1);

        assert_eq!(fleet.tick(&[]).await, Tick { due: 1, skipped: skipped.into(), ..Tick::default() });
        let calls = fleet.simulator.counters().await.list_calls_by_character;
        assert!(!calls.contains_key(&character_id), "nothing was asked for it");
        fleet.is_true_but(Exceptions { unserved: vec![character_id], ..Exceptions::default() }).await;
    });
}

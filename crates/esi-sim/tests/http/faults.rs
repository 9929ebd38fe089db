//! Faults as a client meets them on the wire.

use esi_sim::model::Settings;
use tokio::task::JoinSet;

use super::Sim;

#[tokio::test]
async fn no_answer_at_all_and_half_an_answer() {
    let sim = Sim::start(Settings::default()).await;
    for kind in ["reset", "lost_answer"] {
        sim.put_faults(&format!(r#"[{{"on":"status","do":{{"kind":"{kind}"}}}}]"#)).await;
        let error = sim.get("/status").send().await.unwrap_err();
        assert!(error.is_request(), "{kind}: {error:?}");
    }
    sim.remove_faults().await;
    let whole = sim.get("/status").send().await.unwrap().text().await.unwrap();

    sim.put_faults(r#"[{"on":"status","do":{"kind":"truncate"}}]"#).await;
    let mut answer = sim.get("/status").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.content_length(), Some(whole.len() as u64));
    let half = answer.chunk().await.unwrap().unwrap();
    assert_eq!(half, whole.as_bytes()[..whole.len() / 2]);
    assert!(answer.chunk().await.is_err());
}

#[tokio::test]
async fn a_held_answer_comes_when_the_fault_is_removed() {
    let sim = Sim::start(Settings::default()).await;
    sim.put_faults(r#"[{"on":"status","do":{"kind":"hold"}}]"#).await;
    let mut held = JoinSet::new();
    held.spawn(sim.get("/status").send());
    sim.until("the fault has bitten", |counters| counters["faults"]["hold"] == 1).await;
    assert!(held.try_join_next().is_none());
    // The same fault in a longer list goes on holding.
    sim.put_faults(r#"[{"on":"jwks","do":{"kind":"html"}},{"on":"status","do":{"kind":"hold"}}]"#).await;
    assert_eq!(sim.json("/sim/counters").await["responses"]["200"], serde_json::Value::Null);
    assert!(held.try_join_next().is_none());
    sim.remove_faults().await;
    assert_eq!(held.join_next().await.unwrap().unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn token_calls_in_flight_are_those_that_really_wait() {
    let sim = Sim::start(Settings { token_parallel_limit: 3, ..Settings::default() }).await;
    let (_, token) = sim.character(0).await;
    sim.put_faults(r#"[{"on":"token","do":{"kind":"hold"}}]"#).await;
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        calls.spawn(sim.refresh(&token).send());
    }
    sim.until("all calls are in flight", |counters| counters["parallel_token_calls_max"] == 5).await;
    sim.remove_faults().await;
    let mut statuses: Vec<u16> =
        calls.join_all().await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 500, 500]);
}

#[tokio::test]
async fn a_caller_that_goes_away_is_no_longer_in_flight() {
    let sim = Sim::start(Settings::default()).await;
    let (_, token) = sim.character(0).await;
    sim.put_faults(r#"[{"on":"token","times":1,"do":{"kind":"hold"}}]"#).await;
    let mut call = JoinSet::new();
    call.spawn(sim.refresh(&token).send());
    sim.until("the fault has bitten", |counters| counters["faults"]["hold"] == 1).await;
    call.shutdown().await;
    loop {
        sim.post("/sim/counters/reset", "").await;
        assert_eq!(sim.refresh(&token).send().await.unwrap().status(), 200);
        if sim.json("/sim/counters").await["parallel_token_calls_max"] == 1 {
            break;
        }
    }
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused_and_changes_nothing() {
    let sim = Sim::start(Settings::default()).await;
    sim.put_faults(r#"[{"on":"detail","killmail_id":7,"times":2,"do":{"kind":"delay","milliseconds":1}}]"#).await;
    for text in [r#"[{"on":"detail","do":{"kind":"invalid_grant"}}]"#, r#"{"on":"detail"}"#, "nonsense"] {
        let request = sim.client.put(format!("{}/sim/faults", sim.url)).body(text);
        assert_eq!(request.send().await.unwrap().status(), 400, "{text}");
    }
    let faults = sim.json("/sim/faults").await;
    assert_eq!(faults.as_array().unwrap().len(), 1);
    assert_eq!(faults[0]["killmail_id"], 7);
    assert_eq!(faults[0]["do"]["kind"], "delay");
}

//! The database goes away for a moment, in the middle of the work: the worker keeps its jobs and goes on.

use serde_json::json;

use crate::harness::{Fleet, On, World, fleet};

#[test]
fn a_worker_whose_connections_are_cut_finishes_its_jobs_with_new_ones() {
    fleet(On::Services, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        fleet.simulator.fault(json!([{ "on": "detail", "do": { "kind": "hold" } }])).await;
        let worker = fleet.worker(&["--drain"]).start();
        fleet.simulator.has_bitten("hold").await;
        // First found, then cut: in one condition the server might cut others before it looks whose they are.
        let cut = "with found as materialized (
                       select pid from pg_stat_activity
                       where application_name = 'killfleet-worker' and datname = current_database())
                   select count(*) from found where pg_terminate_backend(pid)";
        assert!(fleet.database.value::<i64>(cut).await > 0, "the worker has connections");
        fleet.simulator.heal().await;
        worker.ended().await.well();
        fleet.is_true().await;
    });
}

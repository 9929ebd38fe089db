//! The database goes away for a moment, in the middle of the work, or the worker does: jobs are kept, and go on.

use serde_json::json;

use crate::harness::{Exceptions, Fleet, On, World, eventually, fleet};

/// Of workers, to which the server has answered, and which have not said more.
const OPEN_TRANSACTIONS: &str = "pg_stat_activity
    where application_name = 'killfleet-worker' and datname = current_database() and state = 'idle in transaction'";

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

/// Others wait for the rows that it holds, for one of them all of the fleet: the database ends its transactions.
#[test]
fn a_worker_that_stands_still_in_its_transactions_holds_nobody_up() {
    fleet(On::Services, World::of(4, 20), async |fleet: &Fleet| {
        fleet.tick(&[]).await;
        fleet.drain_lane("list").await;
        let held = fleet.database.hold("lock table killmail in access exclusive mode").await;
        let worker = fleet.worker(&["--drain"]).start();
        let waiting = "pg_locks where relation = 'killmail'::regclass and not granted";
        eventually("the worker waits", async || fleet.database.count(waiting).await > 0).await;
        worker.signal("STOP");
        held.let_go().await;
        eventually("it holds what it has", async || fleet.database.count(OPEN_TRANSACTIONS).await > 0).await;
        eventually("it is made to let go", async || fleet.database.count(OPEN_TRANSACTIONS).await == 0).await;
        worker.signal("CONT");
        worker.ended().await.well();
        // One for each of its four jobs was on its way.
        fleet.is_true_but(Exceptions { repeated_details: 4, ..Exceptions::default() }).await;
    });
}

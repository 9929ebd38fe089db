//! The database, and the ways to it.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::sleep;

use super::process::is_caught;
use crate::crew::WORKERS;
use crate::proxy::Mode;
use crate::round::Round;
use crate::servers;
use crate::sign::{COMMIT, Catch};

const TIMES: usize = 6;
const GO_BY_MAX: u32 = 20;
const HALF_OPEN: Duration = Duration::from_secs(6);
const LOCKED: Duration = Duration::from_secs(4);

/// The commit happened, and the worker is told that its connection is gone.
pub(super) async fn cut_in_mid_commit(round: &mut Round<'_>) {
    for _ in 0..TIMES {
        let worker = round.any_worker();
        let let_pass = round.random.random_range(0..GO_BY_MAX);
        is_caught(round.crew.workers[worker].database.trap(COMMIT, let_pass, Catch::KeepAnswer)).await;
        round.count_fault(1);
        round.crew.workers[worker].database.cut();
    }
}

pub(super) async fn connections_cut(round: &mut Round<'_>) {
    for _ in 0..TIMES {
        round.moment().await;
        round.count_fault(WORKERS);
        round.crew.all().for_each(|member| member.database.cut());
    }
}

/// For some seconds nothing arrives, and then whoever still waits is cut off.
pub(super) async fn connections_half_open(round: &mut Round<'_>) {
    round.count_fault(WORKERS);
    round.crew.all().for_each(|member| member.database.set(Mode::BlackHole));
    sleep(HALF_OPEN).await;
    round.crew.all().for_each(|member| {
        member.database.cut();
        member.database.set(Mode::Pass);
    });
}

/// In immediate mode, as after a crash.
pub(super) async fn restarted(round: &mut Round<'_>) {
    for _ in 0..3 {
        round.moment().await;
        round.count_fault(WORKERS);
        servers::restart_postgres().await;
    }
}

pub(super) async fn locked(round: &mut Round<'_>) {
    for table in ["character", "killmail_ref", "token_stream"] {
        round.count_fault(0);
        let held = round.fleet.database.hold(&format!("lock table {table} in access exclusive mode")).await;
        sleep(LOCKED).await;
        held.let_go().await;
        round.moment().await;
    }
}

//! The table of faults. Each is under load when it comes, and ends with the same oracle.

mod broker;
mod database;
mod outside;
mod process;
mod together;

use crate::round::Fault;

/// The provider whose old refresh token goes on working.
const LENIENT: &str = "always";
/// The provider whose old refresh token is dead with the answer that brings the new one.
const STRICT: &str = "always-kill-old";

/// The servers are not harmed, so that another round may go on beside.
const BESIDE: bool = false;
const ALONE: bool = true;

macro_rules! faults {
    ($($name:literal, $rotation:ident, $is_alone:ident, $inject:path;)+) => {
        &[$(Fault {
            name: $name,
            rotation: $rotation,
            is_alone: $is_alone,
            inject: |round| Box::pin($inject(round)),
        }),+]
    };
}

pub(crate) const ALL: &[Fault] = faults![
    "workers killed at random", LENIENT, BESIDE, process::killed_at_random;
    "worker killed: claimed", LENIENT, BESIDE, process::killed_when_claimed;
    "worker killed: called", LENIENT, BESIDE, process::killed_when_called;
    "worker killed: in transaction", LENIENT, BESIDE, process::killed_in_transaction;
    "worker killed: committed", LENIENT, BESIDE, process::killed_when_committed;
    "worker killed: acked", LENIENT, BESIDE, process::killed_when_acked;
    "worker frozen past its leases", LENIENT, BESIDE, process::frozen;
    "rolling restart", STRICT, BESIDE, process::rolling_restart;
    "three schedulers", STRICT, BESIDE, process::more_schedulers;
    "scheduler killed before its publish", STRICT, BESIDE, broker::scheduler_killed_before_its_publish;
    "broker killed and started", STRICT, ALONE, broker::killed_and_started;
    "broker's data gone", STRICT, ALONE, broker::data_gone;
    "broker connections cut", STRICT, BESIDE, broker::connections_cut;
    "broker connections half open", STRICT, BESIDE, broker::connections_half_open;
    "broker slow", STRICT, BESIDE, broker::slow;
    "broker out of memory", STRICT, ALONE, broker::out_of_memory;
    "queues purged", STRICT, BESIDE, broker::queues_purged;
    "queues deleted", STRICT, BESIDE, broker::queues_deleted;
    "every message several times", STRICT, BESIDE, broker::messages_repeated;
    "database connection cut in mid-commit", STRICT, BESIDE, database::cut_in_mid_commit;
    "database connections cut", STRICT, BESIDE, database::connections_cut;
    "database connections half open", STRICT, BESIDE, database::connections_half_open;
    "database restarted at once", STRICT, ALONE, database::restarted;
    "database full of locks", STRICT, BESIDE, database::locked;
    "SSO down", STRICT, BESIDE, outside::sso_down;
    "SSO slow", STRICT, BESIDE, outside::sso_slow;
    "SSO loses answers", LENIENT, BESIDE, outside::sso_loses_answers;
    "ESI down", STRICT, BESIDE, outside::esi_down;
    "ESI says 420", STRICT, BESIDE, outside::esi_says_420;
    "ESI says 429", STRICT, BESIDE, outside::esi_says_429;
    "ESI sends garbage", STRICT, BESIDE, outside::esi_sends_garbage;
    "all of it at random", LENIENT, ALONE, together::at_random;
];

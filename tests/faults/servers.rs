//! The servers of the suite itself, which nobody else uses: `dev/servers/harm` does to them what machines do to servers.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

pub(crate) async fn restart_postgres() {
    harm(&["postgres", "restart"]).await;
}

pub(crate) async fn kill_rabbitmq() {
    harm(&["rabbitmq", "kill"]).await;
}

/// Its data, while it does not run.
pub(crate) async fn empty_rabbitmq() {
    harm(&["rabbitmq", "empty"]).await;
}

/// Ends when it answers again.
pub(crate) async fn start_rabbitmq() {
    harm(&["rabbitmq", "start"]).await;
}

/// With 0 every publisher is blocked; 0.4 is the usual setting.
pub(crate) async fn set_memory_high_watermark(part: &str) {
    harm(&["rabbitmq", "control", "set_vm_memory_high_watermark", part]).await;
}

async fn harm(arguments: &[&str]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/servers/harm");
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status().await;
    let status = status.unwrap_or_else(|error| panic!("dev/servers/harm: {error}"));
    assert!(status.success(), "dev/servers/harm {arguments:?}: {status}");
}

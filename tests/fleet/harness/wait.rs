//! Waiting for something that is to happen: by looking again, never by sleeping and hoping.

use std::net::TcpListener;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

const LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until the condition holds; panics with `what` when it does not in time.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(within(LIMIT, condition).await, "not within {} s: {what}", LIMIT.as_secs());
}

/// Whether the condition comes to hold within the limit.
pub(crate) async fn within(limit: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let waiting = async {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if condition().await {
                return;
            }
        }
    };
    timeout(limit, waiting).await.is_ok()
}

/// A port of this machine on which nobody listened a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

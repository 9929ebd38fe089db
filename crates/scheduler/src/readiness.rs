//! What a process that ticks needs to be ready: its database.

use std::pin::Pin;

use service::health::Check;
use store::Store;

/// For the listener of a process whose only server is the database.
pub fn database_readiness(
    store: &Store,
) -> impl Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Clone + Send + Sync + 'static {
    let store = store.clone();
    move || {
        let store = store.clone();
        Box::pin(async move {
            let database = store.now().await.map(|_| ()).map_err(|error| error.failure().reason);
            vec![Check { name: "database", result: database }]
        })
    }
}

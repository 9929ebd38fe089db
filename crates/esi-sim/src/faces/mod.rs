//! The HTTP in front of the model: one port for ESI, SSO and the control routes.
//!
//! The rule: thin. A face turns an HTTP request into a [`Request`](crate::model::Request), asks the model, and sends
//! what it says; it decides nothing.
//!
//! Where to go next: [`route`] reads paths, [`exchange`] takes one request through the model, [`connection`] is how a
//! connection is closed without an answer, [`crate::control`] has the control routes.

pub mod connection;
pub mod exchange;
pub mod route;
pub mod simulator;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use connection::{Connection, CuttableListener};
use simulator::Simulator;

/// Serves until `stop` is ready. Requests that are being held or delayed then are dropped: whoever tests a fleet does
/// not want to wait for the simulator.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, simulator: Arc<Simulator>, stop: impl Future<Output = ()>) -> io::Result<()> {
    let routes = Router::new()
        .nest("/sim", crate::control::routes())
        .fallback(exchange::exchange)
        .with_state(simulator)
        .into_make_service_with_connect_info::<Connection>();
    let server = axum::serve(CuttableListener::over(listener), routes);
    tokio::select! {
        ended = server.into_future() => ended,
        () = stop => Ok(()),
    }
}

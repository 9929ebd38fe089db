//! Connecting, and the time limit that stands on every await of lapin.
//!
//! lapin connects without a limit of its own, and a connect that is given up in the middle of the handshake keeps a
//! thread and a socket until the other side answers. So a plain socket of ours looks first whether a broker is there.

use std::io;
use std::time::Duration;

use lapin::runtime::default_runtime;
use lapin::{Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address::Address;
use crate::error::BrokerError;

const PREFLIGHT_LIMIT: Duration = Duration::from_secs(3);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For one question to a connected broker, such as opening a channel.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);
/// For taking leave: whatever is not said in this time, the broker finds out when the socket closes.
pub(crate) const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// How an AMQP 0-9-1 client begins; the broker answers with `connection.start`.
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Waits for `call`, but not longer than `limit`.
pub(crate) async fn within<T>(
    doing: &'static str,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(limit, call).await {
        Ok(result) => result.map_err(|source| BrokerError::from_lapin(doing, source)),
        Err(_) => Err(BrokerError::TimedOut { doing, limit }),
    }
}

/// One attempt. `name` is what the broker's operator sees.
pub(crate) async fn connect(address: &Address, name: &str) -> Result<Connection, BrokerError> {
    preflight(address).await?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = default_runtime().map_err(|source| BrokerError::from_lapin("connecting", source))?;
    let connecting = Connection::connect_uri_with_config(address.uri(), properties, address.tls(), runtime);
    within("connecting", CONNECT_LIMIT, connecting).await
}

pub(crate) async fn close(connection: &Connection) {
    // A connection that cannot be closed in order is dropped: all that was not acknowledged comes again.
    let _ = within("closing the connection", GOODBYE_LIMIT, connection.close(200, "bye".into())).await;
}

async fn preflight(address: &Address) -> Result<(), BrokerError> {
    let look = async {
        let mut socket = TcpStream::connect(address.host_and_port()).await?;
        // Behind TLS the first word is the client's greeting of TLS; that the port is open is all we learn there.
        if !address.is_encrypted() {
            socket.write_all(PROTOCOL_HEADER).await?;
            socket.read_exact(&mut [0_u8; 1]).await?;
        }
        io::Result::Ok(())
    };
    let not_reachable = |source| BrokerError::NotReachable { address: address.shown(), source };
    match timeout(PREFLIGHT_LIMIT, look).await {
        Ok(result) => result.map_err(not_reachable),
        Err(_) => Err(not_reachable(io::ErrorKind::TimedOut.into())),
    }
}

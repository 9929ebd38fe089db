//! Servers behind TLS: an authority made for one test, and a proxy that ends TLS in front of a server that knows none.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::TemporaryFile;

/// Issues certificates that nobody trusts who is not told to.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, for a setting.
    pub(crate) file: TemporaryFile,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (key, mut parameters) = (KeyPair::generate().unwrap(), CertificateParams::default());
        // Two of the same name would be taken for one that signs badly.
        parameters.distinguished_name.push(DnType::CommonName, format!("killfleet test {}", uuid::Uuid::now_v7()));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(parameters, key), file: TemporaryFile::with(&certificate.pem()) }
    }

    fn server_named(&self, name: &str) -> Arc<ServerConfig> {
        let (key, parameters) = (KeyPair::generate().unwrap(), CertificateParams::new([name.to_owned()]).unwrap());
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

/// How a client of the server comes to speak TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begins {
    /// With its first byte, as RabbitMQ's do.
    AtOnce,
    /// After it has asked whether it may, as PostgreSQL's do.
    WhenTold,
}

/// What PostgreSQL's clients ask: <https://www.postgresql.org/docs/current/protocol-message-formats.html>, `SSLRequest`.
const MAY_I: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(crate) struct TlsProxy {
    pub(crate) port: u16,
    /// Aborted when dropped.
    _task: JoinSet<()>,
}

impl TlsProxy {
    /// `target` is host and port of a server without TLS; clients are shown a certificate of `authority` for `name`.
    pub(crate) async fn start(target: String, begins: Begins, authority: &Authority, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(authority.server_named(name));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                connections.spawn(async move {
                    // A client that does not trust us hangs up.
                    let _ = serve(client, begins, acceptor, target).await;
                });
            }
        });
        Self { port: address.port(), _task: task }
    }
}

async fn serve(mut client: TcpStream, begins: Begins, acceptor: TlsAcceptor, target: String) -> std::io::Result<()> {
    if matches!(begins, Begins::WhenTold) {
        let mut asked = [0; MAY_I.len()];
        client.read_exact(&mut asked).await?;
        assert_eq!(asked, MAY_I, "it begins without TLS");
        client.write_all(b"S").await?;
    }
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

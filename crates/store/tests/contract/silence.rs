//! A PostgreSQL server that falls silent, as when its machine is gone: whoever waits for it is told in time, and its
//! connections keep no place in the pool.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use domain::FailureClass;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use store::{Store, scratch};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::arrange::{character, claimant};
use crate::harness::server;

/// A way to the server on which, once it is silent, nothing comes through any more, and nothing is closed.
struct Way {
    address: SocketAddr,
    is_silent: watch::Sender<bool>,
    _connections: JoinSet<()>,
}

impl Way {
    async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_silent = watch::Sender::new(false);
        let silenced = is_silent.subscribe();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let (host, mut silenced) = (host.clone(), silenced.clone());
                connections.spawn(async move {
                    let mut server = TcpStream::connect((host, port)).await.unwrap();
                    let silence = async {
                        let _ = silenced.wait_for(|is_silent| *is_silent).await;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                        () = silence => {}
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { address, is_silent, _connections: accepting }
    }
}

#[test]
fn a_server_that_falls_silent_is_noticed_and_its_connections_are_thrown_away() {
    // Of one thread, so that its time can be moved.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = scratch::create_migrated(&server()).await.unwrap_or_else(|error| panic!("{}", error.failure()));
        let options = PgConnectOptions::from_str(url.expose_secret()).unwrap();
        let way = Way::to(options.get_host().to_owned(), options.get_port()).await;
        let behind = options.clone().host("127.0.0.1").port(way.address.port());
        let behind = SecretString::from(behind.to_url_lossy().to_string());
        let store = Store::connect(&behind, "killfleet-contract", 1)
            .await
            .unwrap_or_else(|error| panic!("{}", error.failure()));

        // A statement is under way: it waits for a row that somebody else has locked.
        let mut locker = options.connect().await.unwrap();
        locker.execute("insert into character (character_id, character_name) values (1, 'Pilot')").await.unwrap();
        let mut lock = locker.begin().await.unwrap();
        lock.execute("select * from character for update").await.unwrap();
        let claiming = store.clone();
        let claiming = async move { claiming.claim_list(character(1), claimant(false)).await };
        let silence = async {
            let waiting =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            let mut looker = options.connect().await.unwrap();
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut looker).await.unwrap() == 0 {
                tokio::task::yield_now().await;
            }
            way.is_silent.send_replace(true);
            tokio::time::pause();
        };
        let (claimed, ()) = tokio::join!(claiming, silence);
        let error = claimed.unwrap_err();
        assert_eq!(error.class(), FailureClass::Transient);
        assert!(error.failure().reason.contains("no answer within 45 s"), "{}", error.failure());

        // Its place is free again, and a new connection gets through. The server has gone on with what it was asked for, and
        // the same job is allowed to take over what nobody has told it that it has.
        tokio::time::sleep(Duration::from_secs(6)).await;
        tokio::time::resume();
        way.is_silent.send_replace(false);
        lock.rollback().await.unwrap();
        assert!(store.claim_list(character(1), claimant(true)).await.unwrap().is_some());
        store.close().await;
        locker.close().await.unwrap();
        scratch::drop(&url).await.unwrap();
    });
}

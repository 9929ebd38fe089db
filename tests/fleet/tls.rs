//! A database and a broker that are spoken to by TLS, with certificates of the operator's own authority.

use url::Url;

use crate::harness::{Authority, Begins, Fleet, On, Process, Tick, TlsProxy, World, fleet};

/// The name in the URLs. The proxies listen on this machine.
const NAME: &str = "localhost";

struct Behind {
    database: TlsProxy,
    broker: TlsProxy,
}

impl Behind {
    async fn start(fleet: &Fleet<'_>, authority: &Authority, name: &str) -> Self {
        let target = |url: &str, default_port: u16| {
            let url = Url::parse(url).unwrap();
            format!("{}:{}", url.host_str().expect("a server has an address"), url.port().unwrap_or(default_port))
        };
        let (database, broker) = (target(fleet.database.fleet_url(), 5432), target(fleet.queues().url(), 5672));
        Self {
            database: TlsProxy::start(database, Begins::WhenTold, authority, name).await,
            broker: TlsProxy::start(broker, Begins::AtOnce, authority, name).await,
        }
    }

    fn database_url(&self, fleet: &Fleet<'_>, trusted: &Authority) -> String {
        let mut url = Url::parse(fleet.database.fleet_url()).unwrap();
        url.set_host(Some(NAME)).unwrap();
        url.set_port(Some(self.database.port)).unwrap();
        let pairs: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(name, _)| !name.starts_with("ssl")).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        // Blanks as PostgreSQL's clients write them.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&format!("{query}&sslmode=verify-full&sslrootcert={}", trusted.file.path())));
        url.into()
    }

    fn broker_url(&self, fleet: &Fleet<'_>, trusted: Option<&Authority>) -> String {
        let (_, rest) = fleet.queues().url().split_once("://").expect("a URL has a scheme");
        let mut url = Url::parse(&format!("amqps://{rest}")).unwrap();
        url.set_host(Some(NAME)).unwrap();
        url.set_port(Some(self.broker.port)).unwrap();
        if let Some(trusted) = trusted {
            url.query_pairs_mut().append_pair("cacertfile", trusted.file.path());
        }
        url.into()
    }
}

#[test]
fn a_fleet_works_by_tls_with_an_authority_of_ones_own() {
    fleet(On::Services, World::of(3, 8), async |fleet: &Fleet| {
        let authority = Authority::new();
        let behind = Behind::start(fleet, &authority, NAME).await;
        let (database, broker) = (behind.database_url(fleet, &authority), behind.broker_url(fleet, Some(&authority)));
        let set = |process| both(process, &database, &broker);
        let ticked = set(fleet.scheduler(&[])).run().await.well();
        assert_eq!(Tick::parse(&ticked.stdout[0]), Tick::only_listed(3));
        set(fleet.worker(&["--drain"])).run().await.well();
        set(fleet.killfleet(&["status"])).run().await.well();
        fleet.is_true().await;
    });
}

fn both<'fleet>(process: Process<'fleet>, database: &str, broker: &str) -> Process<'fleet> {
    process.set("KILLFLEET_DATABASE_URL", database).set("KILLFLEET_AMQP_URL", broker)
}

#[test]
fn a_certificate_of_another_authority_or_for_another_name_is_refused_and_nothing_is_sent() {
    fleet(On::Services, World::of(1, 2), async |fleet: &Fleet| {
        let (authority, other) = (Authority::new(), Authority::new());
        let well = Behind::start(fleet, &authority, NAME).await;
        let elsewhere = Behind::start(fleet, &authority, "elsewhere.example").await;
        let good_database = well.database_url(fleet, &authority);
        let good_broker = well.broker_url(fleet, Some(&authority));

        for (database, why) in [
            (well.database_url(fleet, &other), "UnknownIssuer"),
            (elsewhere.database_url(fleet, &authority), "certificate not valid for name \"localhost\""),
        ] {
            for process in [fleet.scheduler(&[]), fleet.worker(&["--drain"]), fleet.killfleet(&["status"])] {
                let ended = both(process, &database, &good_broker).run().await.with_code(2);
                let line = ended.stderr.last().expect("it says why");
                assert!(line.contains("connecting to the database by TLS failed") && line.contains(why), "{line}");
                assert!(line.contains("sslrootcert"), "{line}");
            }
        }
        for (broker, why) in [
            (well.broker_url(fleet, Some(&other)), "UnknownIssuer"),
            (well.broker_url(fleet, None), "UnknownIssuer"),
            (elsewhere.broker_url(fleet, Some(&authority)), "certificate not valid for name \"localhost\""),
        ] {
            for process in [fleet.scheduler(&[]), fleet.worker(&["--drain"])] {
                let ended = both(process, &good_database, &broker).run().await.with_code(2);
                let line = ended.stderr.last().expect("it says why");
                assert!(line.contains("the certificate of the broker") && line.contains(why), "{line}");
                assert!(line.contains("cacertfile"), "{line}");
            }
        }
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn a_server_that_knows_no_tls_is_refused_where_tls_is_asked_for() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        // A server that would speak it is the operator's own, with a certificate that nobody has told us to trust.
        let url = format!("{}&sslmode=verify-full", fleet.database.fleet_url());
        let ended = fleet.killfleet(&["status"]).set("KILLFLEET_DATABASE_URL", url).run().await.with_code(2);
        let line = ended.stderr.last().expect("it says why");
        assert!(line.contains("connecting to the database by TLS failed"), "{line}");
    });
}

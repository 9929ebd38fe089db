//! The processes of the fleet, each behind proxies of its own.

use std::net::SocketAddr;

use url::Url;

use crate::harness::{Fleet, Process, Running};
use crate::proxy::Proxy;

pub(crate) const WORKERS: usize = 3;
/// Jobs of each lane at the same time, in each worker.
pub(crate) const CONCURRENCY: u64 = 4;

/// One process and its ways to the servers.
pub(crate) struct Member {
    pub(crate) database: Proxy,
    pub(crate) broker: Proxy,
    kind: Kind,
    process: Option<Running>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Worker,
    Scheduler,
}

pub(crate) struct Crew<'fleet> {
    fleet: &'fleet Fleet<'fleet>,
    pub(crate) workers: Vec<Member>,
    pub(crate) schedulers: Vec<Member>,
}

impl<'fleet> Crew<'fleet> {
    pub(crate) async fn start(fleet: &'fleet Fleet<'fleet>) -> Self {
        let mut crew = Self { fleet, workers: Vec::new(), schedulers: Vec::new() };
        for _ in 0..WORKERS {
            crew.workers.push(Member::start(fleet, Kind::Worker).await);
        }
        crew.another_scheduler().await;
        crew
    }

    pub(crate) async fn another_scheduler(&mut self) {
        self.schedulers.push(Member::start(self.fleet, Kind::Scheduler).await);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Member> {
        self.workers.iter().chain(&self.schedulers)
    }

    /// SIGKILL, what the servers see of it, and another one in its place.
    pub(crate) async fn replace_killed_worker(&mut self, number: usize) {
        self.workers[number].kill().await;
        self.workers[number].start_again(self.fleet);
    }

    pub(crate) async fn replace_killed_scheduler(&mut self) {
        self.schedulers[0].kill().await;
        self.schedulers[0].start_again(self.fleet);
    }

    /// SIGTERM, its end in order, and another one in its place.
    pub(crate) async fn replace_stopped_worker(&mut self, number: usize) {
        self.workers[number].stop().await;
        self.workers[number].start_again(self.fleet);
    }

    pub(crate) async fn stop_schedulers(&mut self) {
        for scheduler in &mut self.schedulers {
            scheduler.stop().await;
        }
    }

    pub(crate) async fn stop_workers(&mut self) {
        for worker in &mut self.workers {
            worker.stop().await;
        }
    }
}

impl Member {
    async fn start(fleet: &Fleet<'_>, kind: Kind) -> Self {
        let database = Proxy::to(host_and_port(fleet.database.url())).await;
        let broker = Proxy::to(host_and_port(fleet.queues().url())).await;
        let mut member = Self { database, broker, kind, process: None };
        member.start_again(fleet);
        member
    }

    fn start_again(&mut self, fleet: &Fleet<'_>) {
        self.process = Some(self.command_line(fleet).start());
    }

    fn command_line<'fleet>(&self, fleet: &'fleet Fleet<'_>) -> Process<'fleet> {
        let process = match self.kind {
            Kind::Worker => fleet.worker(&["--concurrency", &CONCURRENCY.to_string()]),
            // As often as ESI allows, whatever the tiers say.
            Kind::Scheduler => fleet.scheduler(&["--every", "1s", "--force"]),
        };
        process
            .set("KILLFLEET_DATABASE_URL", by_way_of(fleet.database.url(), self.database.address))
            .set("KILLFLEET_AMQP_URL", by_way_of(fleet.queues().url(), self.broker.address))
    }

    pub(crate) async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await;
        self.cut();
    }

    /// Closes its connections to both servers.
    pub(crate) fn cut(&self) {
        self.database.cut();
        self.broker.cut();
    }

    /// It ends in order, and says so.
    pub(crate) async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("TERM");
        process.ended().await.well();
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.as_ref().expect("it runs").signal(signal);
    }
}

fn host_and_port(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().expect("a server has a name"), url.port().expect("private servers have ports"))
}

fn by_way_of(url: &str, address: SocketAddr) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_ip_host(address.ip()).expect("it is a URL with a host");
    url.set_port(Some(address.port())).expect("it is a URL with a host");
    url.to_string()
}

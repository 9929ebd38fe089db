//! `esi-sim serve`: makes a world and serves it until a signal comes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use clap::value_parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::clock;
use crate::faces;
use crate::faces::simulator::Simulator;
use crate::model::Model;
use crate::model::fault::Fault;
use crate::model::settings::Settings;
use crate::model::sso_settings::{Algorithm, ClientAuth, Issuer, Replay, Rotation, SsoSettings};
use crate::model::world::WorldSize;

/// Serve ESI, SSO and the control routes on one port.
#[derive(Args)]
pub(super) struct Serve {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8900")]
    listen: SocketAddr,
    /// The same seed makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Characters that signed in.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000_000))]
    characters: u32,
    /// Generated killmails; the 26 real ones come on top.
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(0..=10_000_000))]
    killmails: u32,
    /// Leave the real killmails out.
    #[arg(long)]
    no_real_killmails: bool,
    /// References on one page of a list.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=100_000))]
    page_size: u32,
    /// How long ESI keeps a list.
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..=86_400))]
    list_ttl_seconds: u32,
    /// Length of the floating window of the rate limits.
    #[arg(long, default_value_t = 900, value_parser = value_parser!(u32).range(1..=86_400))]
    window_seconds: u32,
    /// Length of the fixed window of the error limit.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=86_400))]
    error_limit_window_seconds: u32,
    /// Life of an access token.
    #[arg(long, default_value_t = 1199, value_parser = value_parser!(u32).range(1..=86_400))]
    expires_in_seconds: u32,
    /// Client id of the one known application.
    #[arg(long, default_value = "sim-client", value_parser = NonEmptyStringValueParser::new())]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value = "sim-secret", value_parser = NonEmptyStringValueParser::new())]
    client_secret: String,
    /// What a refresh does with the refresh token.
    #[arg(long, value_enum, default_value_t = Rotation::Never)]
    rotation: Rotation,
    /// How long a consumed refresh token goes on working, with --rotation=always-kill-old.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(0..=86_400_000))]
    grace_seconds: u32,
    /// What else happens when a consumed refresh token is shown again; it is refused in any case.
    #[arg(long, value_enum, default_value_t = Replay::Refuse)]
    replay: Replay,
    /// Life of a login, however often it is refreshed. Without it, for ever.
    #[arg(long, value_parser = value_parser!(u32).range(1..=86_400_000))]
    absolute_lifetime_seconds: Option<u32>,
    /// Life of a refresh token since it was given out or last renewed. Without it, for ever.
    #[arg(long, value_parser = value_parser!(u32).range(1..=86_400_000))]
    sliding_lifetime_seconds: Option<u32>,
    /// How the application must say its secret.
    #[arg(long, value_enum, default_value_t = ClientAuth::Any)]
    client_auth: ClientAuth,
    /// With which key access tokens are signed.
    #[arg(long, value_enum, default_value_t = Algorithm::Rs256)]
    algorithm: Algorithm,
    /// The claim `iss` of access tokens.
    #[arg(long, value_enum, default_value_t = Issuer::Url)]
    issuer: Issuer,
    /// Let errors of routes with a rate limit feed the error limit too.
    #[arg(long)]
    bucketed_errors_count: bool,
    /// Token calls in flight above which SSO answers 500.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    token_parallel_limit: u32,
    /// File with a JSON array of faults that are in force from the start.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Print a line on stderr for each exchange.
    #[arg(long)]
    print_exchanges: bool,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        // The signals are caught before anything is said, so that whoever reads the first line may stop us at once.
        let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };

        let simulator = Arc::new(Simulator::of(self.model()?, self.print_exchanges));
        let listener = TcpListener::bind(self.listen).await.with_context(|| format!("listening on {}", self.listen))?;
        let address = listener.local_addr().context("asking for the port")?;
        writeln!(std::io::stdout(), "esi-sim listening on http://{address}").context("writing to stdout")?;
        std::io::stdout().flush().context("writing to stdout")?;
        Ok(faces::serve(listener, simulator, stop).await.context("serving")?)
    }

    fn model(&self) -> Result<Model, Failure> {
        let size = WorldSize {
            characters: self.characters,
            killmails: self.killmails,
            real_killmails: !self.no_real_killmails,
        };
        let mut model = Model::begin(clock::now(), self.settings(), self.seed, size);
        if let Some(path) = &self.faults {
            let faults = read_faults(path).map_err(|error| Failure::Usage(format!("error: --faults: {error:#}")))?;
            model.replace_faults(faults).map_err(|error| Failure::Usage(format!("error: --faults: {error}")))?;
        }
        Ok(model)
    }

    fn settings(&self) -> Settings {
        Settings {
            page_size: self.page_size as usize,
            list_ttl_seconds: self.list_ttl_seconds,
            window_seconds: self.window_seconds,
            error_limit_window_seconds: self.error_limit_window_seconds,
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            bucketed_errors_count: self.bucketed_errors_count,
            token_parallel_limit: self.token_parallel_limit,
            sso: self.sso_settings(),
        }
    }

    fn sso_settings(&self) -> SsoSettings {
        SsoSettings {
            expires_in_seconds: self.expires_in_seconds,
            rotation: self.rotation,
            grace_seconds: self.grace_seconds,
            replay: self.replay,
            absolute_lifetime_seconds: self.absolute_lifetime_seconds,
            sliding_lifetime_seconds: self.sliding_lifetime_seconds,
            client_auth: self.client_auth,
            issuer: self.issuer,
            algorithm: self.algorithm,
        }
    }
}

fn read_faults(path: &Path) -> anyhow::Result<Vec<Fault>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON array of faults", path.display()))
}

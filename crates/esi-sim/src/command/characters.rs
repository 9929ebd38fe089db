//! `esi-sim characters`: who signed in, for a script that fills a fleet.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use serde::Deserialize;

use super::client;

/// Print the characters: id, name and refresh token, separated by tabs.
#[derive(Debug, Args)]
pub(super) struct Characters {
    /// Where the simulator listens, such as http://127.0.0.1:8900
    #[arg(long)]
    url: Url,
}

#[derive(Deserialize)]
struct Line {
    character_id: i64,
    name: String,
    refresh_token: Option<String>,
}

impl Characters {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let body = client::ask(&self.url, "/sim/characters").await?;
        let lines: Vec<Line> = serde_json::from_str(&body).context("reading the characters")?;
        let mut output = std::io::stdout().lock();
        for line in lines {
            let refresh_token = line.refresh_token.as_deref().unwrap_or("");
            writeln!(output, "{}\t{}\t{refresh_token}", line.character_id, line.name).context("writing to stdout")?;
        }
        Ok(())
    }
}

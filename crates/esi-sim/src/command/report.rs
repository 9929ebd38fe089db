//! `esi-sim report`: the counters, for people or for programs.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use serde_json::Value;

use super::client;

/// Print what the simulator counted.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Where the simulator listens, such as http://127.0.0.1:8900
    #[arg(long)]
    url: Url,
    /// Print the counters as JSON.
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let body = client::ask(&self.url, "/sim/counters").await?;
        let mut output = std::io::stdout().lock();
        if self.json {
            return writeln!(output, "{body}").context("writing to stdout");
        }
        let counters: Value = serde_json::from_str(&body).context("reading the counters")?;
        for (name, value) in lines(&counters) {
            writeln!(output, "{name:<34} {value:>10}").context("writing to stdout")?;
        }
        Ok(())
    }
}

/// One line for each number; of the counters by character or killmail only how many there are and their largest.
fn lines(counters: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (name, value) in counters.as_object().into_iter().flatten() {
        match value {
            Value::Object(members) if name.contains("_by_") => {
                let largest = members.values().filter_map(Value::as_u64).max().unwrap_or(0);
                lines.push((name.clone(), format!("{} x <={largest}", members.len())));
            }
            Value::Object(members) => {
                lines.extend(members.iter().map(|(member, value)| (format!("{name}.{member}"), value.to_string())));
            }
            value => lines.push((name.clone(), value.to_string())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_short() {
        let counters = json!({
            "requests": { "list": 3 },
            "list_calls_by_character": { "1": 2, "7": 1 },
            "budget_overdrawn": 0,
        });
        let lines: Vec<String> = lines(&counters).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["budget_overdrawn=0", "list_calls_by_character=2 x <=2", "requests.list=3"]);
    }
}

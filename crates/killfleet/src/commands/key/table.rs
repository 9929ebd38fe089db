//! What stands on the screen when tokens were sealed anew.

use store::reseal::KeyUse;

use super::rotate::{Report, UnopenableToken};

/// More of them are found with `--json`.
const UNOPENABLE_TOLD_MAX: usize = 20;

pub(super) fn of(report: &Report) -> String {
    let Report { sealing_key, resealed, sealed_already, .. } = report;
    let mut lines = vec![
        of_keys(&report.keys),
        format!("\ntokens sealed anew with `{sealing_key}`: {resealed}; sealed with it already: {sealed_already}"),
    ];
    if !report.unopenable.is_empty() {
        lines.push(format!("\ntokens that do not open, and were left as they are ({}):", report.unopenable.len()));
        lines.extend(report.unopenable.iter().take(UNOPENABLE_TOLD_MAX).map(unopenable));
    }
    if !report.is_stopped {
        lines.extend(report.keys_still_in_use.iter().map(|id| {
            format!(
                "\n`{id}` has sealed tokens again meanwhile: a process that has it as first key is still running. Start \
                 every process with `{sealing_key}` in front, then run this again."
            )
        }));
        lines.extend(report.unused_keys.iter().map(|id| {
            format!(
                "\nno token is sealed with `{id}` any more: it may be removed from KILLFLEET_TOKEN_KEY once every process \
                 has been started with `{sealing_key}` in front. One that was not may seal with `{id}` again: look with \
                 `killfleet key status` before you remove it."
            )
        }));
    }
    lines.join("\n")
}

pub(super) fn of_keys(keys: &[KeyUse]) -> String {
    if keys.is_empty() {
        return "no token is stored".to_owned();
    }
    let heading = format!("{:<24} {:>13} {:>13} {:>14}", "key", "token streams", "access tokens", "refresh tokens");
    let row = |key: &KeyUse| {
        let KeyUse { key_id, streams, access_tokens, refresh_tokens } = key;
        let id = key_id.as_deref().unwrap_or("(not to be told)");
        format!("{id:<24} {streams:>13} {access_tokens:>13} {refresh_tokens:>14}")
    };
    [heading].into_iter().chain(keys.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn unopenable(token: &UnopenableToken) -> String {
    let UnopenableToken { token_stream_id, character_id, column, reason, .. } = token;
    format!("  token stream {token_stream_id} of character {character_id}, {column}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let key = |id: &str| KeyUse { key_id: Some(id.to_owned()), streams: 3, access_tokens: 2, refresh_tokens: 3 };
        Report {
            sealing_key: "2026".to_owned(),
            resealed: 4,
            sealed_already: 1,
            is_stopped: false,
            unopenable: Vec::new(),
            keys: vec![key("2026")],
            unused_keys: vec!["2025".to_owned()],
            keys_still_in_use: Vec::new(),
        }
    }

    #[test]
    fn it_says_which_key_may_go_and_when() {
        let told = of(&report());
        assert!(told.contains("\ntokens sealed anew with `2026`: 4; sealed with it already: 1\n"), "{told}");
        assert!(told.contains("\nno token is sealed with `2025` any more: it may be removed"), "{told}");
        assert!(!told.contains("again meanwhile"), "{told}");
    }

    #[test]
    fn it_says_that_somebody_still_seals_with_the_old_key() {
        let mut report = report();
        report.keys_still_in_use = std::mem::take(&mut report.unused_keys);
        let told = of(&report);
        assert!(
            told.contains("`2025` has sealed tokens again meanwhile: a process that has it as first key"),
            "{told}"
        );
        assert!(!told.contains("may be removed"), "{told}");
        // One that was stopped has not got far enough to say anything of the kind.
        report.is_stopped = true;
        assert!(!of(&report).contains("again meanwhile"));
    }

    #[test]
    fn it_names_what_does_not_open() {
        let mut report = report();
        report.unopenable = vec![UnopenableToken {
            token_stream_id: 7,
            character_id: 90_000_001,
            column: "refresh_token_sealed",
            key_id: None,
            reason: "why".to_owned(),
        }];
        let told = of(&report);
        assert!(told.contains("\n  token stream 7 of character 90000001, refresh_token_sealed: why"), "{told}");
    }
}

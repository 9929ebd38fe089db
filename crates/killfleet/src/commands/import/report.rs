//! What an import has done, in numbers; rows that were refused, each with its reason.

use std::fmt;

use serde::Serialize;

/// Every row is counted once.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) rows: u64,
    pub(super) added: u64,
    /// Of those that were added: their access token could be taken over too.
    pub(super) with_access_token: u64,
    pub(super) already_stored: u64,
    /// Their character has a login whose refresh token was replaced since: this may be the one that it was.
    pub(super) may_be_replaced: u64,
    pub(super) without_refresh_token: u64,
    pub(super) refused: Vec<RefusedRow>,
    pub(super) is_dry_run: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RefusedRow {
    /// The `id` of the row in its own table.
    pub(super) row: Option<String>,
    pub(super) character_id: Option<String>,
    pub(super) reason: String,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let added = if self.is_dry_run { "would be added" } else { "added" };
        let counts = [
            ("rows", self.rows),
            (added, self.added),
            ("  with an access token", self.with_access_token),
            ("stored already", self.already_stored),
            ("may be replaced since", self.may_be_replaced),
            ("without a refresh token", self.without_refresh_token),
            ("refused", self.refused.len() as u64),
        ];
        let lines = counts.iter().map(|(name, count)| format!("{name:<24}{count:>8}"));
        let refused = self.refused.iter().map(RefusedRow::to_string);
        formatter.write_str(&lines.chain(refused).collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Display for RefusedRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        write!(
            formatter,
            "refused: row {}, character {}: {}",
            or_null(&self.row),
            or_null(&self.character_id),
            self.reason
        )
    }
}

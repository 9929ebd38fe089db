//! The refresh tokens that the database holds, opened, beside those that the provider would take.

use std::collections::{BTreeMap, BTreeSet};

use domain::TokenStreamId;
use secrecy::{ExposeSecret, SecretString};
use store::Keyring;
use store::seal::TokenColumn;

use super::fleet::{Fleet, TOKEN_KEY};

impl Fleet<'_> {
    /// By character.
    pub(crate) async fn held_refresh_tokens(&self) -> BTreeMap<i64, BTreeSet<String>> {
        let keyring = Keyring::parse(&SecretString::from(TOKEN_KEY)).unwrap();
        let rows: Vec<(i64, i64, Vec<u8>)> = self
            .database
            .rows(
                "select character_id, token_stream_id, refresh_token_sealed from token_stream
                 where refresh_token_sealed is not null",
            )
            .await;
        let mut held: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for (character_id, stream, sealed) in rows {
            let stream = TokenStreamId::parse(stream).unwrap();
            let token = keyring.open(stream, TokenColumn::Refresh, &sealed).unwrap();
            held.entry(character_id).or_default().insert(token.expose_secret().to_owned());
        }
        held
    }

    /// Characters of which the database holds a refresh token that the provider would not take.
    pub(crate) async fn with_a_token_that_does_not_work(&self) -> BTreeSet<i64> {
        let live = self.simulator.live_refresh_tokens().await;
        let held = self.held_refresh_tokens().await.into_iter();
        held.filter(|(character_id, held)| !held.is_subset(&live[character_id]))
            .map(|(character_id, _)| character_id)
            .collect()
    }

    pub(crate) async fn every_held_token_works(&self) {
        let without = self.with_a_token_that_does_not_work().await;
        assert!(without.is_empty(), "the provider would not take the tokens that are held for {without:?}");
    }
}

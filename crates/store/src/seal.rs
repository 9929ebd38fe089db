//! Tokens at rest: XChaCha20-Poly1305, bound to the row and column that they were written for.
//!
//! A sealed value moved to another row, or to the other column, does not open. The key's id stands in front, so that
//! several keys can be read while the first of them writes: that is how a key is changed under a running fleet.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use domain::TokenStreamId;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// First byte of everything we seal; another layout gets another number.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_ID_BYTES_MAX: usize = 64;

/// Why `KILLFLEET_TOKEN_KEY` is of no use. Shows no part of the key.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidKeyring {
    #[error("part {position} is not of the form id:base64(32 bytes)")]
    NotAPair { position: usize },
    #[error("the key id in part {position} must be 1 to 64 letters, digits, '-', '_' or '.'")]
    KeyId { position: usize },
    #[error("the key {id:?} is not 32 bytes in base64, as `openssl rand -base64 32` makes them")]
    Key { id: String },
    #[error("the key id {id:?} stands twice")]
    Twice { id: String },
}

/// Why a sealed value does not open.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SealError {
    #[error("a sealed token has a form that this build does not know")]
    UnknownFormat,
    #[error(
        "a token is sealed with the key {id:?}, which KILLFLEET_TOKEN_KEY does not hold: add it behind the first key"
    )]
    UnknownKey { id: String },
    #[error(
        "a sealed token does not open with the key {id:?}: it was altered, moved from another row, or the key is another one"
    )]
    DoesNotOpen { id: String },
}

/// Which of a stream's two tokens: part of what the seal is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenColumn {
    Access,
    Refresh,
}

impl TokenColumn {
    /// As the table has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access_token_sealed",
            Self::Refresh => "refresh_token_sealed",
        }
    }

    fn associated_data(self, row: TokenStreamId) -> Vec<u8> {
        format!("token_stream/{row}/{}", self.name()).into_bytes()
    }
}

/// The keys of `KILLFLEET_TOKEN_KEY`: the first seals, all open.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(String, XChaCha20Poly1305)>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

impl Keyring {
    /// Reads `id:base64(32 bytes)`, several separated by commas.
    ///
    /// # Errors
    /// [`InvalidKeyring`] names the part that is wrong.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidKeyring> {
        let mut keys: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        for (index, part) in text.expose_secret().split(',').map(str::trim).enumerate() {
            let position = index + 1;
            let (id, key) = part.split_once(':').ok_or(InvalidKeyring::NotAPair { position })?;
            if !is_key_id(id) {
                return Err(InvalidKeyring::KeyId { position });
            }
            if keys.iter().any(|(other, _)| other == id) {
                return Err(InvalidKeyring::Twice { id: id.to_owned() });
            }
            let wrong_key = || InvalidKeyring::Key { id: id.to_owned() };
            let bytes: [u8; 32] =
                BASE64.decode(key.trim()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong_key)?;
            keys.push((id.to_owned(), XChaCha20Poly1305::new(&Key::from(bytes))));
        }
        Ok(Self { keys })
    }

    /// A key that nobody knows: for tokens that need not be read once this process is gone.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self { keys: vec![("ephemeral".to_owned(), XChaCha20Poly1305::new(&Key::generate()))] }
    }

    /// The ids of all keys; the first is that of the key that seals.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// Whether it is the first key that has sealed these bytes; it need not be able to open them.
    #[must_use]
    pub fn has_sealed(&self, sealed: &[u8]) -> bool {
        key_id(sealed) == self.key_ids().next()
    }

    /// Seals a token for one row and column.
    #[must_use]
    pub fn seal(&self, row: TokenStreamId, column: TokenColumn, token: &SecretString) -> Vec<u8> {
        // There is at least one key: splitting a text always yields one part, and `parse` refuses a part without a key.
        let (id, cipher) = &self.keys[0];
        let nonce = XNonce::generate();
        let associated_data = column.associated_data(row);
        let payload = Payload { msg: token.expose_secret().as_bytes(), aad: &associated_data };
        let ciphertext =
            cipher.encrypt(&nonce, payload).expect("encryption fails only for messages of more than 256 GiB");
        let id_length = u8::try_from(id.len()).expect("ids are at most 64 bytes long");
        [&[FORMAT, id_length], id.as_bytes(), &nonce[..], &ciphertext].concat()
    }

    /// # Errors
    /// [`SealError`] when the key is not ours, or the value was altered or belongs elsewhere.
    pub fn open(&self, row: TokenStreamId, column: TokenColumn, sealed: &[u8]) -> Result<SecretString, SealError> {
        let (id, nonce, ciphertext) = split(sealed).ok_or(SealError::UnknownFormat)?;
        let (_, cipher) =
            self.keys.iter().find(|(key_id, _)| key_id == id).ok_or(SealError::UnknownKey { id: id.to_owned() })?;
        let associated_data = column.associated_data(row);
        let opened = cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &associated_data })
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(SealError::DoesNotOpen { id: id.to_owned() })?;
        Ok(SecretString::from(opened))
    }
}

/// The id of the key that has sealed these bytes: it stands in front. None for bytes that nobody can have sealed.
#[must_use]
pub fn key_id(sealed: &[u8]) -> Option<&str> {
    split(sealed).map(|(id, ..)| id).filter(|id| is_key_id(id))
}

fn is_key_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=KEY_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

/// Format, length of the key id, key id, nonce, ciphertext.
fn split(sealed: &[u8]) -> Option<(&str, [u8; NONCE_BYTES], &[u8])> {
    let (&[format, id_length], rest) = sealed.split_first_chunk()?;
    let (id, rest) = rest.split_at_checked(usize::from(id_length))?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
    (format == FORMAT).then_some((std::str::from_utf8(id).ok()?, *nonce, ciphertext))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "one:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "two:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn keyring(text: &str) -> Keyring {
        Keyring::parse(&SecretString::from(text.to_owned())).unwrap()
    }

    fn row(id: i64) -> TokenStreamId {
        TokenStreamId::parse(id).unwrap()
    }

    fn token() -> SecretString {
        SecretString::from("MDEyMzQ1Njc4OWFi+/Y=".to_owned())
    }

    #[test]
    fn what_is_sealed_opens_for_its_own_row_and_column_only() {
        let keys = keyring(ONE);
        let sealed = keys.seal(row(1), TokenColumn::Refresh, &token());
        let text = token().expose_secret().to_owned();
        assert!(!sealed.windows(text.len()).any(|window| window == text.as_bytes()));
        assert_eq!(keys.open(row(1), TokenColumn::Refresh, &sealed).unwrap().expose_secret(), text);
        let does_not_open = SealError::DoesNotOpen { id: "one".to_owned() };
        assert_eq!(keys.open(row(2), TokenColumn::Refresh, &sealed).unwrap_err(), does_not_open);
        assert_eq!(keys.open(row(1), TokenColumn::Access, &sealed).unwrap_err(), does_not_open);
        assert_ne!(sealed, keys.seal(row(1), TokenColumn::Refresh, &token()), "a nonce is used once");
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = keyring(ONE).seal(row(1), TokenColumn::Access, &token());
        let both = keyring(&format!("{TWO}, {ONE}"));
        assert!(both.open(row(1), TokenColumn::Access, &old).is_ok());
        let sealed = both.seal(row(1), TokenColumn::Access, &token());
        let unknown = keyring(ONE).open(row(1), TokenColumn::Access, &sealed).unwrap_err();
        assert_eq!(unknown, SealError::UnknownKey { id: "two".to_owned() });
    }

    #[test]
    fn the_id_of_the_key_stands_in_front() {
        let sealed = keyring(ONE).seal(row(1), TokenColumn::Access, &token());
        assert_eq!(key_id(&sealed), Some("one"));
        assert!(keyring(&format!("{ONE},{TWO}")).has_sealed(&sealed));
        assert!(!keyring(&format!("{TWO},{ONE}")).has_sealed(&sealed), "it is not the first");
        let with_a_line_end = [&sealed[..2], b"o\ne", &sealed[5..]].concat();
        for bytes in [&b""[..], b"x", b"\x01\x03one", &sealed[1..], &with_a_line_end] {
            assert_eq!(key_id(bytes), None);
            assert!(!keyring(ONE).has_sealed(bytes));
        }
        assert_eq!(keyring(&format!("{TWO},{ONE}")).key_ids().collect::<Vec<_>>(), ["two", "one"]);
    }

    #[test]
    fn an_altered_value_never_opens_and_never_panics() {
        let keys = keyring(ONE);
        let sealed = keys.seal(row(1), TokenColumn::Access, &token());
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(keys.open(row(1), TokenColumn::Access, &altered).is_err(), "byte {index}");
            assert!(keys.open(row(1), TokenColumn::Access, &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_malformed_setting_is_named_without_the_key() {
        let error = |text: &str| Keyring::parse(&SecretString::from(text.to_owned())).unwrap_err().to_string();
        assert_eq!(error(""), "part 1 is not of the form id:base64(32 bytes)");
        assert_eq!(error(&format!("{ONE},nonsense")), "part 2 is not of the form id:base64(32 bytes)");
        assert!(error(":AAAA").starts_with("the key id in part 1"));
        assert_eq!(error(&format!("{ONE},{ONE}")), "the key id \"one\" stands twice");
        let short = error("short:c2VjcmV0LXBhcnQ=");
        assert!(short.contains("\"short\"") && !short.contains("c2VjcmV0"), "{short}");
        assert_eq!(format!("{:?}", keyring(ONE)), "[\"one\"]");
    }
}

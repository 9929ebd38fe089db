//! A fault: something that goes wrong on purpose, as a value.
//!
//! The rule: a fault says on which requests it bites and what it does there, and nothing else. The board
//! ([`fault_board`](super::fault_board)) says which are in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{CharacterId, CorporationId, KillmailId};
use super::request::Route;

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// On which routes.
    pub on: Target,
    /// Only for this character (lists and token calls): whose list it is, or who asks for that of a corporation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character_id: Option<CharacterId>,
    /// Only for this corporation (its list).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corporation_id: Option<CorporationId>,
    /// Only for each character's login of this number (refreshes): from 1, in the order in which they began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<usize>,
    /// Only for this killmail (details).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killmail_id: Option<KillmailId>,
    /// Only for this page (lists).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// How often, of the requests that it is for.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many more times; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(rename = "do")]
    pub action: Action,
}

/// On which routes a fault bites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The token route of SSO.
    Token,
    /// Lists of characters.
    List,
    /// Lists of corporations.
    CorporationList,
    /// In which corporations characters are.
    Affiliation,
    /// Details.
    Detail,
    /// `/status`.
    Status,
    /// The authorize page of SSO.
    Authorize,
    /// The revocation route of SSO.
    Revoke,
    /// The validation route.
    Validate,
    /// The key set of SSO.
    Jwks,
    /// The discovery document of SSO.
    Discovery,
    /// All routes of ESI.
    Esi,
    /// All routes of ESI and SSO.
    Any,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Another answer, and nothing changes.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body.
        #[serde(default)]
        body: String,
        /// Further headers, in place of those that would be sent.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The request is worked on later.
    Delay {
        /// How much later.
        milliseconds: u64,
    },
    /// The request is worked on when the fault is removed.
    Hold,
    /// Everything happens at once, and the answer is sent when the fault is removed.
    HoldAnswer,
    /// No answer, and nothing changes.
    Reset,
    /// Everything happens, and the answer is lost.
    LostAnswer,
    /// Everything happens, and half of the body arrives.
    Truncate,
    /// 200 with a web page, and nothing changes.
    Html,
    /// Everything happens, and the body is JSON of another shape.
    WrongTypes,
    /// Everything happens, and the body has members that nobody knows.
    UnknownFields,
    /// Everything happens, and the body has other members.
    Members {
        /// An object: members in place of others, `null` takes one away.
        changes: Value,
    },
    /// Everything happens, and the access token is not what it should be.
    Forge {
        /// An object: claims in place of others, `null` takes one away.
        #[serde(default)]
        claims: Value,
        /// How the token is signed.
        #[serde(default)]
        signature: Signature,
    },
    /// The refresh token is refused, and nothing changes.
    InvalidGrant,
    /// The application is refused, and nothing changes.
    InvalidClient,
}

/// How a forged access token is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// As it should be.
    #[default]
    Good,
    /// Not at all: algorithm `none`.
    Unsigned,
    /// With a signature that is not of these claims.
    Wrong,
    /// By a key that is not published.
    UnknownKey,
}

/// What a fault looks at in a request.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// The route.
    pub route: Route,
    /// The character of a list or of a token.
    pub character_id: Option<CharacterId>,
    /// The corporation of a list.
    pub corporation_id: Option<CorporationId>,
    /// The number of a refresh token's login, among those of its character.
    pub login: Option<usize>,
    /// The killmail of a detail.
    pub killmail_id: Option<KillmailId>,
    /// The page of a list.
    pub page: Option<u32>,
}

/// Why a fault makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFault {
    /// The probability is no probability.
    #[error("fault {0}: `probability` must lie between 0 and 1")]
    Probability(usize),
    /// The status is none that ends an exchange.
    #[error("fault {0}: `status` must lie between 200 and 599")]
    Status(usize),
    /// A header that HTTP does not allow.
    #[error("fault {0}: the header `{1}` cannot be sent")]
    Header(usize, String),
    /// An answer that only SSO's token route gives.
    #[error("fault {0}: `{1}` needs `\"on\":\"token\"`")]
    TokenOnly(usize, &'static str),
}

impl Fault {
    /// Whether it is for this request, chance aside.
    #[must_use]
    pub fn is_for(&self, subject: &Subject) -> bool {
        self.on.covers(subject.route)
            && (self.character_id.is_none() || self.character_id == subject.character_id)
            && (self.corporation_id.is_none() || self.corporation_id == subject.corporation_id)
            && (self.login.is_none() || self.login == subject.login)
            && (self.killmail_id.is_none() || self.killmail_id == subject.killmail_id)
            && (self.page.is_none() || self.page == subject.page)
    }

    /// Checks what the types cannot say; `place` is its place in the list, for the message.
    ///
    /// # Errors
    /// When the fault could not be carried out.
    pub fn check(&self, place: usize) -> Result<(), UnusableFault> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(UnusableFault::Probability(place));
        }
        match &self.action {
            Action::Answer { status, .. } if !(200..=599).contains(status) => Err(UnusableFault::Status(place)),
            Action::Answer { headers, .. } => match headers.iter().find(|(name, value)| !can_be_sent(name, value)) {
                Some((name, _)) => Err(UnusableFault::Header(place, name.clone())),
                None => Ok(()),
            },
            Action::InvalidGrant | Action::InvalidClient | Action::Members { .. } | Action::Forge { .. }
                if self.on != Target::Token =>
            {
                Err(UnusableFault::TokenOnly(place, self.action.name()))
            }
            _ => Ok(()),
        }
    }
}

impl Action {
    /// Its name in the counters, equal to `kind`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Delay { .. } => "delay",
            Self::Hold => "hold",
            Self::HoldAnswer => "hold_answer",
            Self::Reset => "reset",
            Self::LostAnswer => "lost_answer",
            Self::Truncate => "truncate",
            Self::Html => "html",
            Self::WrongTypes => "wrong_types",
            Self::UnknownFields => "unknown_fields",
            Self::Members { .. } => "members",
            Self::Forge { .. } => "forge",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
        }
    }
}

impl Target {
    fn covers(self, route: Route) -> bool {
        match self {
            Self::Token => route == Route::Token,
            Self::List => route == Route::List,
            Self::CorporationList => route == Route::CorporationList,
            Self::Affiliation => route == Route::Affiliation,
            Self::Detail => route == Route::Detail,
            Self::Status => route == Route::Status,
            Self::Authorize => route == Route::Authorize,
            Self::Revoke => route == Route::Revoke,
            Self::Validate => route == Route::Validate,
            Self::Jwks => route == Route::Jwks,
            Self::Discovery => route == Route::Discovery,
            Self::Esi => route.is_esi(),
            Self::Any => true,
        }
    }
}

fn always() -> f64 {
    1.0
}

/// HTTP's rule for names is narrower than this, and the faces check it again; this keeps typing errors out early.
fn can_be_sent(name: &str, value: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn every_kind_can_be_written_down() {
        let kinds = [
            r#"{"kind":"answer","status":503,"body":"text","headers":{"Retry-After":"3"}}"#,
            r#"{"kind":"delay","milliseconds":5}"#,
            r#"{"kind":"hold"}"#,
            r#"{"kind":"hold_answer"}"#,
            r#"{"kind":"members","changes":{"expires_in":0,"refresh_token":null}}"#,
            r#"{"kind":"forge","claims":{"sub":"CHARACTER:EVE:1"},"signature":"unknown_key"}"#,
            r#"{"kind":"forge","signature":"unsigned"}"#,
            r#"{"kind":"reset"}"#,
            r#"{"kind":"lost_answer"}"#,
            r#"{"kind":"truncate"}"#,
            r#"{"kind":"html"}"#,
            r#"{"kind":"wrong_types"}"#,
            r#"{"kind":"unknown_fields"}"#,
            r#"{"kind":"invalid_grant"}"#,
            r#"{"kind":"invalid_client"}"#,
        ];
        for kind in kinds {
            let fault = parse(&format!(r#"{{"on":"token","do":{kind}}}"#)).unwrap();
            fault.check(0).unwrap();
            assert!(kind.contains(&format!("\"{}\"", fault.action.name())));
            assert!((fault.probability - 1.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn typing_errors_are_refused() {
        assert!(parse(r#"{"on":"lists","do":{"kind":"reset"}}"#).is_err());
        assert!(parse(r#"{"on":"list","do":{"kind":"explode"}}"#).is_err());
        assert!(parse(r#"{"on":"list","charcter_id":1,"do":{"kind":"reset"}}"#).is_err());
        let unusable = [
            r#"{"on":"list","probability":1.5,"do":{"kind":"reset"}}"#,
            r#"{"on":"list","do":{"kind":"answer","status":99}}"#,
            r#"{"on":"list","do":{"kind":"answer","status":500,"headers":{"a b":"c"}}}"#,
            r#"{"on":"any","do":{"kind":"invalid_grant"}}"#,
            r#"{"on":"jwks","do":{"kind":"forge"}}"#,
        ];
        for text in unusable {
            assert!(parse(text).unwrap().check(0).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_bites_only_where_it_is_meant_to() {
        let fault = parse(r#"{"on":"esi","character_id":7,"do":{"kind":"reset"}}"#).unwrap();
        let list = Subject {
            route: Route::List,
            character_id: Some(CharacterId::from_number(7)),
            corporation_id: None,
            login: None,
            killmail_id: None,
            page: Some(1),
        };
        assert!(fault.is_for(&list));
        assert!(!fault.is_for(&Subject { character_id: Some(CharacterId::from_number(8)), ..list }));
        assert!(!fault.is_for(&Subject { route: Route::Token, ..list }));
        assert!(!fault.is_for(&Subject { route: Route::Status, character_id: None, ..list }));
        let fault = parse(r#"{"on":"corporation_list","corporation_id":98,"do":{"kind":"reset"}}"#).unwrap();
        let list =
            Subject { route: Route::CorporationList, corporation_id: Some(CorporationId::from_number(98)), ..list };
        assert!(fault.is_for(&list));
        assert!(!fault.is_for(&Subject { corporation_id: Some(CorporationId::from_number(99)), ..list }));
        assert!(!fault.is_for(&Subject { route: Route::List, ..list }));
    }
}

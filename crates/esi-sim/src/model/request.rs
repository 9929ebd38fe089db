//! One request as the model sees it.
//!
//! The rule: the faces take HTTP apart, the model judges. So texts that may be wrong (a page, a bearer token, a form)
//! arrive here as they were sent.

use std::net::IpAddr;

use super::ids::KillmailId;
use super::list_owner::ListOwner;

/// Who asks, with which headers, for what. No `Debug`: it holds tokens.
#[derive(Clone)]
pub struct Request {
    /// The caller's address: the key of the details' bucket and of the error limit.
    pub source: IpAddr,
    /// `User-Agent`, or `X-User-Agent`.
    pub user_agent: Option<String>,
    /// `Authorization`, whole.
    pub authorization: Option<String>,
    /// `If-None-Match`, whole.
    pub if_none_match: Option<String>,
    /// `X-Compatibility-Date`.
    pub compatibility_date: Option<String>,
    /// The route and its parameters.
    pub call: Call,
}

/// A route with its parameters. No `Debug`: a token call holds its form.
#[derive(Clone)]
pub enum Call {
    /// `GET /v2/oauth/authorize`
    Authorize {
        /// The query as it was sent.
        query: String,
    },
    /// `POST /v2/oauth/revoke`
    Revoke {
        /// `Content-Type`, whole.
        content_type: Option<String>,
        /// The body as text.
        body: String,
    },
    /// `GET /oauth2/validate`
    Validate,
    /// `POST /v2/oauth/token`
    Token {
        /// `Content-Type`, whole.
        content_type: Option<String>,
        /// The body as text.
        body: String,
    },
    /// `GET /characters/{character_id}/killmails/recent`, `GET /corporations/{corporation_id}/killmails/recent`
    List {
        /// From the path.
        owner: ListOwner,
        /// The query parameter `page` as it was sent.
        page: Option<String>,
    },
    /// `GET /killmails/{killmail_id}/{killmail_hash}`
    Detail {
        /// From the path.
        killmail_id: KillmailId,
        /// From the path, as it was sent.
        killmail_hash: String,
    },
    /// `POST /characters/affiliation`
    Affiliation {
        /// The body as text.
        body: String,
    },
    /// `GET /status`
    Status,
    /// `GET /oauth/jwks`
    Jwks,
    /// `GET /.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`
    Discovery {
        /// Under what address the caller reached us, such as `http://127.0.0.1:8900`.
        base_url: String,
    },
    /// Any other path of ESI.
    UnknownEsi,
    /// Any other path of SSO.
    UnknownSso,
}

/// A route without its parameters, for counting and for faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// See [`Call::Authorize`].
    Authorize,
    /// See [`Call::Token`].
    Token,
    /// See [`Call::Revoke`].
    Revoke,
    /// See [`Call::Validate`].
    Validate,
    /// See [`Call::List`]: a character's.
    List,
    /// See [`Call::List`]: a corporation's.
    CorporationList,
    /// See [`Call::Affiliation`].
    Affiliation,
    /// See [`Call::Detail`].
    Detail,
    /// See [`Call::Status`].
    Status,
    /// See [`Call::Jwks`].
    Jwks,
    /// See [`Call::Discovery`].
    Discovery,
    /// See [`Call::UnknownEsi`].
    UnknownEsi,
    /// See [`Call::UnknownSso`].
    UnknownSso,
}

impl Call {
    /// The route of this call.
    #[must_use]
    pub fn route(&self) -> Route {
        match self {
            Self::Authorize { .. } => Route::Authorize,
            Self::Token { .. } => Route::Token,
            Self::Revoke { .. } => Route::Revoke,
            Self::Validate => Route::Validate,
            Self::List { owner: ListOwner::Character(_), .. } => Route::List,
            Self::List { owner: ListOwner::Corporation(_), .. } => Route::CorporationList,
            Self::Affiliation { .. } => Route::Affiliation,
            Self::Detail { .. } => Route::Detail,
            Self::Status => Route::Status,
            Self::Jwks => Route::Jwks,
            Self::Discovery { .. } => Route::Discovery,
            Self::UnknownEsi => Route::UnknownEsi,
            Self::UnknownSso => Route::UnknownSso,
        }
    }
}

impl Route {
    /// Whether ESI answers it, and not SSO.
    #[must_use]
    pub fn is_esi(self) -> bool {
        match self {
            Self::List | Self::CorporationList | Self::Affiliation | Self::Detail | Self::Status | Self::UnknownEsi => {
                true
            }
            Self::Authorize
            | Self::Token
            | Self::Revoke
            | Self::Validate
            | Self::Jwks
            | Self::Discovery
            | Self::UnknownSso => false,
        }
    }
}

/// A query parameter `page`: absent means 1, anything but a positive 32-bit number is refused
/// (OpenAPI: `int32, minimum 1, default 1`).
#[must_use]
pub fn page_number(text: Option<&str>) -> Option<u32> {
    match text {
        None => Some(1),
        Some(text) => text.parse::<i32>().ok().and_then(|page| u32::try_from(page).ok()).filter(|page| *page >= 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_positive_numbers() {
        let cases = [(None, Some(1)), (Some("3"), Some(3)), (Some("0"), None), (Some("-1"), None), (Some("two"), None)];
        for (text, expected) in cases {
            assert_eq!(page_number(text), expected, "{text:?}");
        }
        assert_eq!(page_number(Some("99999999999")), None);
        assert_eq!(page_number(Some("")), None);
    }
}

//! Which call a path means.
//!
//! The rule: ESI's paths work bare and below `/latest` and `/v1`, with and without a slash at the end. What is neither
//! a path of ours nor one of SSO is an unknown path of ESI.

use axum::http::Method;

use crate::model::Call;
use crate::model::ids::{CharacterId, CorporationId, KillmailId};
use crate::model::list_owner::ListOwner;

/// The parts of an HTTP request that tell the call. No `Debug`: the body may hold a token.
pub struct Target<'request> {
    /// The method.
    pub method: &'request Method,
    /// The path, without the query.
    pub path: &'request str,
    /// The query, if there is one.
    pub query: Option<&'request str>,
    /// Under what address we were reached.
    pub base_url: String,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The body as text.
    pub body: String,
}

impl Target<'_> {
    /// The call.
    #[must_use]
    pub fn call(self) -> Call {
        let path = self.path.strip_suffix('/').unwrap_or(self.path);
        if let Some(rest) = path.strip_prefix("/v2/oauth/").or_else(|| path.strip_prefix("/oauth/")) {
            return self.oauth_call(rest);
        }
        if path == "/oauth2/validate" && self.method == Method::GET {
            return Call::Validate;
        }
        if let Some(document) = path.strip_prefix("/.well-known/") {
            let is_known = matches!(document, "oauth-authorization-server" | "openid-configuration");
            return match is_known && self.method == Method::GET {
                true => Call::Discovery { base_url: self.base_url },
                false => Call::UnknownSso,
            };
        }
        self.esi_call(path).unwrap_or(Call::UnknownEsi)
    }

    fn oauth_call(&self, rest: &str) -> Call {
        let (content_type, body) = (self.content_type.clone(), self.body.clone());
        match (self.method, rest, self.path.starts_with("/v2/")) {
            (&Method::GET, "authorize", true) => Call::Authorize { query: self.query.unwrap_or_default().to_owned() },
            (&Method::POST, "token", true) => Call::Token { content_type, body },
            (&Method::POST, "revoke", true) => Call::Revoke { content_type, body },
            (&Method::GET, "jwks", false) => Call::Jwks,
            _ => Call::UnknownSso,
        }
    }

    fn esi_call(&self, path: &str) -> Option<Call> {
        let path = path.strip_prefix("/latest/").or_else(|| path.strip_prefix("/v1/")).unwrap_or(path);
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (self.method, segments.as_slice()) {
            (&Method::POST, ["characters", "affiliation"]) => Some(Call::Affiliation { body: self.body.clone() }),
            (&Method::GET, ["status"]) => Some(Call::Status),
            (&Method::GET, [owners @ ("characters" | "corporations"), id, "killmails", "recent"]) => {
                let id = id.parse().ok()?;
                let owner = match *owners {
                    "characters" => ListOwner::Character(CharacterId::from_number(id)),
                    _ => ListOwner::Corporation(CorporationId::from_number(id)),
                };
                Some(Call::List { owner, page: self.query_value("page") })
            }
            (&Method::GET, ["killmails", killmail_id, killmail_hash]) => Some(Call::Detail {
                killmail_id: KillmailId::from_number(killmail_id.parse().ok()?),
                killmail_hash: (*killmail_hash).to_owned(),
            }),
            _ => None,
        }
    }

    fn query_value(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query?.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Route;

    fn call(method: &Method, path: &str, query: Option<&str>) -> Call {
        Target { method, path, query, base_url: "http://sim".to_owned(), content_type: None, body: String::new() }
            .call()
    }

    #[test]
    fn all_spellings_of_a_path_mean_the_same_call() {
        for prefix in ["", "/latest", "/v1"] {
            for slash in ["", "/"] {
                let list =
                    call(&Method::GET, &format!("{prefix}/characters/7/killmails/recent{slash}"), Some("page=3"));
                assert!(matches!(list, Call::List { page: Some(page), .. } if page == "3"), "{prefix} {slash}");
                let detail = call(&Method::GET, &format!("{prefix}/killmails/7/abc{slash}"), None);
                assert!(matches!(detail, Call::Detail { killmail_hash, .. } if killmail_hash == "abc"));
                assert!(matches!(call(&Method::GET, &format!("{prefix}/status{slash}"), None), Call::Status));
            }
        }
    }

    #[test]
    fn the_other_paths_are_told_apart() {
        let cases = [
            (Method::POST, "/v2/oauth/token", Route::Token),
            (Method::GET, "/v2/oauth/token", Route::UnknownSso),
            (Method::POST, "/oauth/token", Route::UnknownSso),
            (Method::GET, "/v2/oauth/authorize", Route::Authorize),
            (Method::POST, "/v2/oauth/authorize", Route::UnknownSso),
            (Method::POST, "/v2/oauth/revoke", Route::Revoke),
            (Method::GET, "/oauth2/validate", Route::Validate),
            (Method::POST, "/oauth2/validate", Route::UnknownEsi),
            (Method::GET, "/oauth/jwks", Route::Jwks),
            (Method::GET, "/.well-known/oauth-authorization-server", Route::Discovery),
            (Method::GET, "/.well-known/openid-configuration", Route::Discovery),
            (Method::GET, "/characters/x/killmails/recent", Route::UnknownEsi),
            (Method::GET, "/characters/7", Route::UnknownEsi),
            (Method::GET, "/characters/7/killmails/recent", Route::List),
            (Method::GET, "/corporations/7/killmails/recent", Route::CorporationList),
            (Method::POST, "/corporations/7/killmails/recent", Route::UnknownEsi),
            (Method::GET, "/alliances/7/killmails/recent", Route::UnknownEsi),
            (Method::POST, "/characters/affiliation", Route::Affiliation),
            (Method::POST, "/latest/characters/affiliation/", Route::Affiliation),
            (Method::GET, "/characters/affiliation", Route::UnknownEsi),
            (Method::POST, "/status", Route::UnknownEsi),
            (Method::GET, "/", Route::UnknownEsi),
        ];
        for (method, path, expected) in cases {
            assert_eq!(call(&method, path, None).route(), expected, "{method} {path}");
        }
    }
}

//! Where EVE SSO's endpoints are: from the settings, else from its discovery document (RFC 8414), else from memory.

use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;
use url::Url;

use crate::address;
use crate::http::Http;

/// The three endpoints that we use.
#[derive(Debug, Clone)]
struct Endpoints {
    token: Url,
    jwks: Url,
    authorize: Url,
}

/// As they stand in the document; unknown members are passed over.
#[derive(Deserialize)]
struct Document {
    token_endpoint: String,
    jwks_uri: String,
    /// Refreshes do without it, so a document may do without it too.
    authorization_endpoint: Option<String>,
}

/// Instead of what the document says.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) token: Option<Url>,
    pub(super) jwks: Option<Url>,
    pub(super) authorize: Option<Url>,
}

#[derive(Debug)]
pub(crate) struct Discovery {
    overrides: Overrides,
    document_url: Url,
    /// Held across the request, so that one asks and the others wait for what it learns.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What EVE SSO said last; before it ever said anything, what it has been for years.
    endpoints: Endpoints,
    ask_again_at: Option<Instant>,
}

impl Discovery {
    pub(super) fn of(sso_url: &Url, overrides: Overrides) -> Self {
        let endpoints = Endpoints {
            token: address::below(sso_url, &["v2", "oauth", "token"]),
            jwks: address::below(sso_url, &["oauth", "jwks"]),
            authorize: address::below(sso_url, &["v2", "oauth", "authorize"]),
        };
        Self {
            overrides,
            document_url: address::below(sso_url, &[".well-known", "oauth-authorization-server"]),
            state: Mutex::new(State { endpoints, ask_again_at: None }),
        }
    }

    pub(super) async fn token_url(&self, http: &Http) -> Url {
        match &self.overrides.token {
            Some(url) => url.clone(),
            None => self.endpoints(http).await.token,
        }
    }

    pub(super) async fn jwks_url(&self, http: &Http) -> Url {
        match &self.overrides.jwks {
            Some(url) => url.clone(),
            None => self.endpoints(http).await.jwks,
        }
    }

    pub(super) async fn authorize_url(&self, http: &Http) -> Url {
        match &self.overrides.authorize {
            Some(url) => url.clone(),
            None => self.endpoints(http).await.authorize,
        }
    }

    async fn endpoints(&self, http: &Http) -> Endpoints {
        let mut state = self.state.lock().await;
        if state.ask_again_at.is_none_or(|at| Instant::now() >= at) {
            let pause = match self.ask(http, &state.endpoints).await {
                Ok(endpoints) => {
                    state.endpoints = endpoints;
                    http.limits().discovery_lives_for
                }
                Err(why) => {
                    warn!("EVE SSO's discovery document cannot be used, the last known endpoints are: {why}");
                    http.limits().metadata_pause
                }
            };
            state.ask_again_at = Instant::now().checked_add(pause);
        }
        state.endpoints.clone()
    }

    async fn ask(&self, http: &Http, last_known: &Endpoints) -> Result<Endpoints, String> {
        let request = http.get(self.document_url.clone()).timeout(http.limits().metadata);
        let raw = http.exchange(request).await.map_err(|no_answer| no_answer.why)?;
        if raw.status != StatusCode::OK {
            return Err(format!("it answered {}", raw.status));
        }
        let Document { token_endpoint, jwks_uri, authorization_endpoint } =
            serde_json::from_slice(raw.whole_body()?)
                .map_err(|_| "it does not name the token endpoint and the key set".to_owned())?;
        let authorize = match authorization_endpoint.map(|address| safe("authorization_endpoint", &address)) {
            Some(Ok(url)) => url,
            // Only a new login needs it: it is no reason to doubt the rest.
            Some(Err(why)) => {
                warn!("a part of EVE SSO's discovery document is passed over: {why}");
                last_known.authorize.clone()
            }
            None => last_known.authorize.clone(),
        };
        let (token, jwks) = (safe("token_endpoint", &token_endpoint)?, safe("jwks_uri", &jwks_uri)?);
        Ok(Endpoints { token, jwks, authorize })
    }
}

/// Our client secret goes there: the rule for configured addresses holds for discovered ones.
fn safe(name: &str, address: &str) -> Result<Url, String> {
    let url = Url::parse(address).map_err(|_| format!("its {name} is not an address"))?;
    address::checked(url).map_err(|why| format!("its {name} cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = String> {
        let scheme = prop::sample::select(vec!["https", "http", "ftp", "file", "HTTPS", "javascript", ""]);
        let user = prop::sample::select(vec!["", "me@", "me:hush@", ":hush@"]);
        let hosts = vec![
            "login.eveonline.com",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "10.0.0.1",
            "localhost.evil.example",
            "",
            "0",
        ];
        let rest = prop_oneof![Just(String::new()), "[/a-z?#.%:@\\\\-]{0,12}"];
        (scheme, user, prop::sample::select(hosts), rest)
            .prop_map(|(scheme, user, host, rest)| format!("{scheme}://{user}{host}{rest}"))
    }

    proptest! {
        #[test]
        fn our_secret_goes_by_https_or_to_this_machine_whatever_the_document_says(address in address()) {
            match safe("token_endpoint", &address) {
                Ok(url) => {
                    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
                    prop_assert!(url.scheme() == "https" || url.scheme() == "http" && is_here, "{}", url);
                    prop_assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none(), "{}", url);
                }
                Err(why) => prop_assert!(why.starts_with("its token_endpoint ") && !why.contains("hush"), "{}", why),
            }
        }

        #[test]
        fn any_text_is_an_address_or_named_as_none(text in any::<String>()) {
            if let Ok(url) = safe("jwks_uri", &text) {
                prop_assert!(matches!(url.scheme(), "https" | "http"), "{}", url);
            }
        }
    }
}

//! `POST /v1/token/{character_id}`: access tokens for sibling services over HTTP.
//!
//! Who does not send the secret learns nothing. No answer may be cached. What has just failed is not asked of EVE SSO
//! again before the `Retry-After` of the answer is over, however often a sibling asks.

mod answer;
mod desk;
mod recent;
mod turns;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use axum::{Router, middleware};
use domain::CharacterId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::answer::Answer;
use self::desk::Desk;
use crate::sibling::TokenRequest;
use crate::worker::Worker;

const BODY_BYTES_MAX: usize = 16 * 1024;
const SIBLING_CHARACTERS_MAX: usize = 64;
const SIBLING_UNNAMED: &str = "unnamed";

/// The route, to be served beside those of the process; none without a secret. `stop` is the process's.
pub fn routes(worker: &Arc<Worker>, secret: Option<SecretString>, stop: &CancellationToken) -> Router {
    let Some(secret) = secret else { return Router::new() };
    let api = Arc::new(TokenApi { worker: Arc::clone(worker), secret, stop: stop.clone(), desk: Desk::default() });
    Router::new()
        .route("/v1/token/{character_id}", post(issue))
        .route_layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route_layer(from_fn_with_state(Arc::clone(&api), authorize))
        .route_layer(middleware::map_response(answer::not_to_be_kept))
        .with_state(api)
}

/// For a process that serves no address: a secret that is set there does nothing.
pub fn warn_if_nowhere(secret: Option<&SecretString>) {
    if secret.is_some() {
        warn!("no tokens are given to siblings: KILLFLEET_TOKEN_API_SECRET is set, but KILLFLEET_LISTEN is not");
    }
}

struct TokenApi {
    worker: Arc<Worker>,
    secret: SecretString,
    stop: CancellationToken,
    desk: Desk,
}

/// Before anything else is looked at, the body included.
async fn authorize(State(api): State<Arc<TokenApi>>, request: Request, next: Next) -> Result<Response, Answer> {
    let sent = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    // The scheme's name is written in either case (RFC 9110, 11.1).
    let secret = sent.and_then(|sent| sent.split_at_checked("Bearer ".len()));
    let secret = secret.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer ")).map(|(_, secret)| secret);
    let is_right = secret.is_some_and(|secret| bool::from(secret.ct_eq(api.secret.expose_secret().as_bytes())));
    if !is_right {
        // Counted by the metric; a line for each would let anybody fill the log.
        debug!("somebody has asked for an access token without the secret");
        return Err(Answer::unauthorized());
    }
    Ok(next.run(request).await)
}

async fn issue(
    State(api): State<Arc<TokenApi>>,
    Path(character_id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Answer> {
    let body = body.map_err(|rejection| Answer::malformed(rejection.status(), &rejection.body_text()))?;
    let request = parse(&character_id, &body)?;
    Ok(api.desk.answer(&request, api.worker.issue_token(&request, &api.stop)).await)
}

/// The body; none at all asks for no particular scope.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default, rename = "for")]
    sibling: Option<String>,
}

fn parse(character_id: &str, body: &[u8]) -> Result<TokenRequest, Answer> {
    let malformed = |problem: String| Answer::malformed(StatusCode::BAD_REQUEST, &problem);
    let character_id = character_id.parse().ok().and_then(|id| CharacterId::parse(id).ok());
    let character_id = character_id.ok_or_else(Answer::no_such_character)?;
    let Body { mut scopes, sibling } = match body.trim_ascii() {
        b"" => Body::default(),
        body => serde_json::from_slice(body).map_err(|error| malformed(format!("the body: {error}")))?,
    };
    let sibling = sibling.unwrap_or_else(|| SIBLING_UNNAMED.to_owned());
    if sibling.chars().count() > SIBLING_CHARACTERS_MAX || sibling.chars().any(char::is_control) {
        return Err(malformed(format!(
            "\"for\" is a name of {SIBLING_CHARACTERS_MAX} characters at the most, in one line"
        )));
    }
    if scopes.iter().any(|scope| scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(malformed("\"scopes\" are words of plain letters, digits and signs".to_owned()));
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(TokenRequest { character_id, scopes, sibling })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn status(answer: Answer) -> u16 {
        answer.into_response().status().as_u16()
    }

    fn parsed(body: &str) -> Result<(Vec<String>, String), u16> {
        let parsed = parse("90000001", body.as_bytes());
        parsed.map(|request| (request.scopes, request.sibling)).map_err(status)
    }

    #[test]
    fn a_body_is_optional_and_says_nothing_but_scopes_and_for_whom() {
        let of = |scopes: &[&str], sibling: &str| {
            Ok((scopes.iter().map(|scope| (*scope).to_owned()).collect(), sibling.to_owned()))
        };
        for empty in ["", " \n", "{}"] {
            assert_eq!(parsed(empty), of(&[], "unnamed"));
        }
        assert_eq!(parsed(r#"{"scopes": ["b", "a", "b"], "for": "board"}"#), of(&["a", "b"], "board"));
        for malformed in [
            "[]x",
            "null",
            r#"{"scope": ["a"]}"#,
            r#"{"scopes": "a"}"#,
            r#"{"for": 1}"#,
            "{\"for\": \"a\\nb\"}",
            "\u{1}",
        ] {
            assert_eq!(parsed(malformed), Err(400), "{malformed}");
        }
        assert_eq!(parsed(&format!(r#"{{"for": "{}"}}"#, "ä".repeat(65))), Err(400));
        assert!(parsed(&format!(r#"{{"for": "{}"}}"#, "ä".repeat(64))).is_ok());
    }

    #[test]
    fn what_is_no_character_is_none_that_is_known() {
        for id in ["0", "-1", "abc", "", "9223372036854775808", "1.0"] {
            assert_eq!(parse(id, b"").map(|_| ()).map_err(status), Err(404), "{id}");
        }
    }
}

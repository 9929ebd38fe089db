//! What a test or a user does to logins: sign in, revoke, sell a character, and how SSO is set.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, patch, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Refusal, Shared, not_found, parse};
use crate::clock;
use crate::faces::simulator::Simulator;
use crate::model::access_token::LIST_SCOPE;
use crate::model::ids::CharacterId;
use crate::model::sso_settings::SsoSettings;

pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/characters/{character_id}", patch(change))
        .route("/characters/{character_id}/login", post(login))
        .route("/characters/{character_id}/revoke", post(revoke))
        .route("/characters/{character_id}/transfer", post(transfer))
        .route("/choice", put(choose).delete(choose_nothing))
        .route("/refresh-tokens", get(refresh_tokens))
        .route("/refresh-tokens/age", post(age))
        .route("/sso", get(sso_settings).patch(change_sso_settings))
}

async fn revoke(State(simulator): Shared, Path(character_id): Path<CharacterId>) -> Result<Response, Refusal> {
    let revoked = simulator.model().revoke(clock::now(), character_id).map_err(not_found)?;
    Ok(Json(json!({ "revoked": revoked })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    scopes: Vec<String>,
}

/// The body is optional; without it the login grants the scope of the lists.
async fn login(
    State(simulator): Shared,
    Path(character_id): Path<CharacterId>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let login = match body.is_empty() {
        true => Login { scopes: vec![LIST_SCOPE.to_owned()] },
        false => parse(&body)?,
    };
    let refresh_token = simulator.model().login(clock::now(), character_id, login.scopes).map_err(not_found)?;
    Ok(Json(json!({ "refresh_token": refresh_token })).into_response())
}

async fn transfer(State(simulator): Shared, Path(character_id): Path<CharacterId>) -> Result<Response, Refusal> {
    let owner = simulator.model().transfer(character_id).map_err(not_found)?;
    Ok(Json(json!({ "owner": owner })).into_response())
}

async fn change(
    State(simulator): Shared,
    Path(character_id): Path<CharacterId>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    simulator.model().change(character_id, parse(&body)?).map_err(not_found)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn choose(State(simulator): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    simulator.model().choose(Some(parse(&body)?));
    Ok(StatusCode::NO_CONTENT)
}

async fn choose_nothing(State(simulator): Shared) -> StatusCode {
    simulator.model().choose(None);
    StatusCode::NO_CONTENT
}

#[derive(Serialize)]
struct RefreshTokensLine {
    character_id: CharacterId,
    refresh_tokens: Vec<String>,
}

async fn refresh_tokens(State(simulator): Shared) -> Json<Vec<RefreshTokensLine>> {
    let (model, now) = (simulator.model(), clock::now());
    let lines = model.characters(now).map(|(character, _)| RefreshTokensLine {
        character_id: character.character_id,
        refresh_tokens: model.live_refresh_tokens(now, character.character_id).map(str::to_owned).collect(),
    });
    Json(lines.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Age {
    seconds: u32,
}

async fn age(State(simulator): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let Age { seconds } = parse(&body)?;
    simulator.model().age_logins(seconds);
    Ok(StatusCode::NO_CONTENT)
}

async fn sso_settings(State(simulator): Shared) -> Json<SsoSettings> {
    Json(simulator.model().sso_settings().clone())
}

/// What the body does not name stays as it is.
async fn change_sso_settings(State(simulator): Shared, body: Bytes) -> Result<Json<SsoSettings>, Refusal> {
    let changes: Map<String, Value> = parse(&body)?;
    let mut model = simulator.model();
    let mut settings = json!(model.sso_settings());
    if let Value::Object(members) = &mut settings {
        members.extend(changes);
    }
    let settings: SsoSettings =
        serde_json::from_value(settings).map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))?;
    model.replace_sso_settings(settings.clone());
    Ok(Json(settings))
}

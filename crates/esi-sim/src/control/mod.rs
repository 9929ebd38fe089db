//! The control routes below `/sim`: how a test steers the simulator and asks what it saw.
//!
//! The rule: they are neither counted nor faulted, and their JSON is a contract with tests and scripts.
//!
//! Here stand world, counters and faults; [`sso`] has what concerns logins.

mod sso;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock;
use crate::faces::simulator::Simulator;
use crate::model::fault::Fault;
use crate::model::ids::{CharacterId, CorporationId, KillmailId};
use crate::model::killmail::Killmail;

type Shared = State<Arc<Simulator>>;

/// All of them, to be put below `/sim`.
pub fn routes() -> Router<Arc<Simulator>> {
    Router::new()
        .route("/characters", get(characters))
        .route("/counters", get(counters))
        .route("/counters/reset", post(reset_counters))
        .route("/faults", get(faults).put(replace_faults).delete(remove_faults))
        .route("/killmails", post(add_killmails))
        .route("/truth", get(truth))
        .merge(sso::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such control route" }))) })
}

/// What a control route refuses, with the reason for the person who wrote the test.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

#[derive(Serialize)]
struct CharacterLine {
    character_id: CharacterId,
    name: String,
    /// The oldest one that works; `null` when none does.
    refresh_token: Option<String>,
    owner: String,
    corporation_id: CorporationId,
    is_director: bool,
    killmail_ids: Vec<KillmailId>,
}

async fn characters(State(simulator): Shared) -> Json<Vec<CharacterLine>> {
    let model = simulator.model();
    let lines = model.characters(clock::now()).map(|(character, refresh_token)| CharacterLine {
        character_id: character.character_id,
        name: character.name.clone(),
        refresh_token: refresh_token.map(str::to_owned),
        owner: character.owner.clone(),
        corporation_id: character.corporation_id,
        is_director: character.is_director,
        killmail_ids: character.killmail_ids.iter().copied().collect(),
    });
    Json(lines.collect())
}

#[derive(Serialize)]
struct Truth {
    killmails: Vec<Killmail>,
    lists: Vec<ListLine>,
    corporation_lists: Vec<CorporationListLine>,
}

#[derive(Serialize)]
struct ListLine {
    character_id: CharacterId,
    killmail_ids: Vec<KillmailId>,
}

#[derive(Serialize)]
struct CorporationListLine {
    corporation_id: CorporationId,
    killmail_ids: BTreeSet<KillmailId>,
}

async fn truth(State(simulator): Shared) -> Json<Truth> {
    let model = simulator.model();
    let lists = model.characters(clock::now()).map(|(character, _)| ListLine {
        character_id: character.character_id,
        killmail_ids: character.killmail_ids.iter().copied().collect(),
    });
    let corporation_lists = model
        .corporation_lists()
        .map(|(corporation_id, killmail_ids)| CorporationListLine { corporation_id, killmail_ids });
    Json(Truth {
        killmails: model.killmails().cloned().collect(),
        lists: lists.collect(),
        corporation_lists: corporation_lists.collect(),
    })
}

async fn counters(State(simulator): Shared) -> Response {
    Json(simulator.model().counters()).into_response()
}

async fn reset_counters(State(simulator): Shared) -> StatusCode {
    simulator.model().reset_counters();
    StatusCode::NO_CONTENT
}

async fn faults(State(simulator): Shared) -> Json<Vec<Fault>> {
    Json(simulator.model().faults())
}

async fn replace_faults(State(simulator): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let faults: Vec<Fault> = parse(&body)?;
    let replaced = simulator.model().replace_faults(faults);
    replaced.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))?;
    simulator.tell_that_faults_changed();
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_faults(simulator: Shared) -> Result<StatusCode, Refusal> {
    replace_faults(simulator, Bytes::from_static(b"[]")).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fights {
    character_ids: Vec<CharacterId>,
    count: u32,
}

async fn add_killmails(State(simulator): Shared, body: Bytes) -> Result<Json<Vec<KillmailId>>, Refusal> {
    let fights: Fights = parse(&body)?;
    let killmail_ids = simulator.model().fight(clock::now(), &fights.character_ids, fights.count);
    killmail_ids.map(Json).map_err(not_found)
}

fn parse<'body, T: Deserialize<'body>>(body: &'body [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
}

fn not_found(error: impl std::error::Error) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, error.to_string())
}

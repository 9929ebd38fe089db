//! The model in time: what happens over many requests. No test here waits; time is a number.

mod authorize;
mod corporations;
mod faults;
mod limits;
mod lists;
mod logins;
mod refresh;

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::ids::CharacterId;
use super::list_owner::ListOwner;
use super::sso_settings::SsoSettings;
use super::world::WorldSize;
use super::{Answer, Call, Model, Request, Settings};

const SIZE: WorldSize = WorldSize { characters: 5, killmails: 40, real_killmails: false };

/// `sim-client:sim-secret`
const BASIC: &str = "Basic c2ltLWNsaWVudDpzaW0tc2VjcmV0";

/// Noon and some seconds on a fixed day; a whole minute, so that windows of a minute begin with it.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_176_000 + seconds, 0).unwrap()
}

fn model(settings: Settings) -> Model {
    Model::begin(at(0), settings, 1, SIZE)
}

fn with(sso: SsoSettings) -> Model {
    model(Settings { sso, ..Settings::default() })
}

fn request(call: Call) -> Request {
    Request {
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: Some("test/1".to_owned()),
        authorization: None,
        if_none_match: None,
        compatibility_date: None,
        call,
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

/// The killmail ids of a page.
fn ids(answer: &Answer) -> Vec<i64> {
    json(answer).as_array().unwrap().iter().map(|reference| reference["killmail_id"].as_i64().unwrap()).collect()
}

/// A part of a JWT.
fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

impl Model {
    /// A whole exchange without a pause.
    fn ask(&mut self, now: DateTime<Utc>, request: &Request) -> Answer {
        let arrival = self.arrive(now, request);
        let answer = self.answer(now, request, &arrival);
        self.call_ended(request.call.route());
        answer
    }

    fn first_character(&self) -> (CharacterId, String) {
        let (character, token) = self.characters(at(0)).next().unwrap();
        (character.character_id, token.unwrap().to_owned())
    }

    fn refresh_with(&mut self, now: DateTime<Utc>, refresh_token: &str) -> Answer {
        self.ask(now, &refresh_request(refresh_token))
    }

    /// `Authorization` with a fresh access token of a character.
    fn sign_in(&mut self, now: DateTime<Utc>, character_id: CharacterId) -> String {
        let token = self.live_refresh_tokens(now, character_id).next().unwrap().to_owned();
        let answer = self.refresh_with(now, &token);
        format!("Bearer {}", json(&answer)["access_token"].as_str().unwrap())
    }

    fn put_fault(&mut self, text: &str) {
        self.replace_faults(serde_json::from_str(&format!("[{text}]")).unwrap()).unwrap();
    }
}

fn refresh_request(refresh_token: &str) -> Request {
    let encoded: String = url::form_urlencoded::byte_serialize(refresh_token.as_bytes()).collect();
    let call = Call::Token {
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        body: format!("grant_type=refresh_token&refresh_token={encoded}"),
    };
    Request { authorization: Some(BASIC.to_owned()), ..request(call) }
}

fn list_request(character_id: CharacterId, authorization: &str, page: Option<&str>) -> Request {
    let call = Call::List { owner: ListOwner::Character(character_id), page: page.map(str::to_owned) };
    Request { authorization: Some(authorization.to_owned()), ..request(call) }
}

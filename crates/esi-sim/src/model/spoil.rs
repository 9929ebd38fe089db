//! What faults do to an answer that was made: other shapes, more members, lost on the way.

use serde_json::{Value, json};

use super::answer::{Answer, Delivery};
use super::fault::Action;
use super::request::Route;

/// Does to an answer what a fault says. Answers other than 200 have nothing to spoil but their arrival.
pub(super) fn spoil(action: &Action, route: Route, mut answer: Answer) -> Answer {
    match action {
        Action::LostAnswer => Answer::nothing(),
        _ if answer.status != 200 => answer,
        Action::Truncate => Answer { delivery: Delivery::CutInHalf, ..answer },
        Action::WrongTypes => {
            answer.body = wrong_shape(route).to_string();
            answer
        }
        Action::Members { changes } => {
            if let Ok(mut body) = serde_json::from_str(&answer.body) {
                merge(&mut body, changes);
                answer.body = body.to_string();
            }
            answer
        }
        Action::UnknownFields => {
            answer.body = with_unknown_fields(&answer.body);
            answer
        }
        _ => answer,
    }
}

/// Whether a fault needs a body, so that a validator of the caller must not lead to a 304.
pub(super) fn needs_a_body(action: &Action) -> bool {
    matches!(action, Action::Truncate | Action::WrongTypes | Action::UnknownFields)
}

/// Members in place of others; `null` takes one away.
pub(super) fn merge(object: &mut Value, changes: &Value) {
    let (Some(object), Some(changes)) = (object.as_object_mut(), changes.as_object()) else { return };
    for (name, value) in changes {
        match value {
            Value::Null => object.remove(name),
            value => object.insert(name.clone(), value.clone()),
        };
    }
}

/// A web page, as a proxy in front of the service shows it.
pub(super) fn web_page() -> Answer {
    let page = "<!DOCTYPE html>\n<html><head><title>Please wait</title></head><body><h1>We will be right back.</h1></body></html>\n";
    Answer::text(200, "text/html; charset=utf-8", page)
}

/// The answer that a fault spells out.
pub(super) fn spelled_out(status: u16, body: &str, headers: &std::collections::BTreeMap<String, String>) -> Answer {
    let content_type = match body.trim_start().as_bytes().first() {
        None => None,
        Some(b'{' | b'[') => Some("application/json"),
        Some(b'<') => Some("text/html; charset=utf-8"),
        Some(_) => Some("text/plain; charset=utf-8"),
    };
    let mut answer = Answer::empty(status);
    answer.body = body.to_owned();
    if let Some(content_type) = content_type {
        answer.set("Content-Type", content_type);
    }
    for (name, value) in headers {
        answer.set(name, value);
    }
    answer
}

fn wrong_shape(route: Route) -> Value {
    match route {
        Route::Token => json!({ "access_token": 17, "expires_in": "soon", "token_type": [], "refresh_token": {} }),
        Route::List | Route::CorporationList => json!([{ "killmail_id": "many", "killmail_hash": 17 }]),
        Route::Affiliation => json!([{ "character_id": "many", "corporation_id": {} }]),
        Route::Detail => json!({ "killmail_id": "one", "killmail_time": 17, "victim": [], "attackers": {} }),
        Route::Jwks => json!({ "keys": "none" }),
        Route::Discovery => json!({ "issuer": 17, "token_endpoint": [] }),
        Route::Validate => json!({ "client_id": 17, "scopes": "many", "expires_in": "soon" }),
        Route::Status | Route::Authorize | Route::Revoke | Route::UnknownEsi | Route::UnknownSso => {
            json!({ "players": "many" })
        }
    }
}

/// Adds a member to every object, attackers and items included. It is put into the text, so that what was there before
/// keeps its digits.
fn with_unknown_fields(body: &str) -> String {
    const MEMBER: &str = r#""future_member":{"added":[1,"two",null]}"#;

    let mut extended = String::with_capacity(body.len() * 2);
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        extended.push(character);
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '{' {
            extended.push_str(MEMBER);
            if characters.peek() != Some(&'}') {
                extended.push(',');
            }
        } else {
            in_string = character == '"';
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_reach_the_attackers() {
        let body = r#"{"attackers":[{"damage_done":1},{"damage_done":2}],"victim":{"items":[{"flag":5}]}}"#;
        let value: Value = serde_json::from_str(&with_unknown_fields(body)).unwrap();
        assert!(value["attackers"][1]["future_member"].is_object());
        assert!(value["victim"]["items"][0]["future_member"].is_object());
        assert_eq!(value["attackers"][1]["damage_done"], 2);
        let value: Value = serde_json::from_str(&with_unknown_fields(r#"[{},{"a{":"\"{"}]"#)).unwrap();
        assert!(value[0]["future_member"].is_object() && value[1]["future_member"].is_object());
        assert_eq!(value[1]["a{"], "\"{");
    }

    #[test]
    fn only_a_good_answer_is_spoiled() {
        let refused = Answer::error(401, "no");
        assert_eq!(spoil(&Action::Truncate, Route::List, refused.clone()), refused);
        assert_eq!(spoil(&Action::LostAnswer, Route::List, refused).delivery, Delivery::Nothing);
    }
}

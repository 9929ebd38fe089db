//! `GET /v2/oauth/authorize`: the page on which a user chooses a character and agrees.
//!
//! The rule (RFC 6749, 4.1.2.1): while it is not certain who asks and where to answer, the user reads of it; everything
//! else is told to the application.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use url::{Host, Url};

use super::form::Form;
use crate::model::access_token::LIST_SCOPE;
use crate::model::codes::Agreement;
use crate::model::ids::CharacterId;
use crate::model::steering::Choice;
use crate::model::{Answer, CORPORATION_SCOPE, Model};

const KNOWN_SCOPES: [&str; 3] = [LIST_SCOPE, CORPORATION_SCOPE, "publicData"];

/// Base64 without padding of the 32 bytes of a SHA-256.
const CHALLENGE_LENGTH: usize = 43;

/// More than anybody wants to read; other characters are chosen by their id.
const LINKS_MAX: usize = 100;

/// An error that the application is told: OAuth's code, and words.
type Refusal = (&'static str, &'static str);

/// What the application wants.
struct Wish {
    scopes: Vec<String>,
    challenge: Option<String>,
}

impl Model {
    /// `query` as it was sent. It may name the choice, `character_id=` or `deny=1`: so do the links of the page.
    pub(in crate::model) fn authorize(&mut self, now: DateTime<Utc>, query: &str) -> Answer {
        let form = Form::parse(query);
        if form.get("client_id") != Some(self.settings.client_id.as_str()) {
            return page(400, "<p>This application is not known: <code>client_id</code> is wrong.</p>");
        }
        let Some(callback) = form.get("redirect_uri").and_then(loopback) else {
            return page(400, "<p><code>redirect_uri</code> must be an address of this machine.</p>");
        };
        let state = form.get("state");
        let wish = match wish(&form) {
            Ok(wish) => wish,
            Err((error, description)) => {
                return back(callback, state, &[("error", error), ("error_description", description)]);
            }
        };
        match choice(&form).or(self.choice) {
            None => page(200, &self.choices(query)),
            Some(Choice::Deny) => back(callback, state, &[("error", "access_denied")]),
            Some(Choice::Character(character_id)) if self.world.character(character_id).is_some() => {
                let agreement =
                    Agreement { character_id, scopes: wish.scopes, challenge: wish.challenge, agreed_at: now };
                let code = self.codes.issue(&mut self.chance, agreement);
                back(callback, state, &[("code", &code)])
            }
            Some(Choice::Character(_)) => page(400, "<p>There is no such character.</p>"),
        }
    }

    fn choices(&self, query: &str) -> String {
        let query = escaped(query);
        let mut choices = String::from("<p>Choose a character:</p>\n<ul>\n");
        for character in self.world.characters().take(LINKS_MAX) {
            let (character_id, name) = (character.character_id, escaped(&character.name));
            // Writing to a text does not fail.
            let _ = writeln!(choices, r#"<li><a href="?{query}&amp;character_id={character_id}">{name}</a></li>"#);
        }
        choices + &format!("</ul>\n<p><a href=\"?{query}&amp;deny=1\">Cancel</a></p>")
    }
}

fn choice(form: &Form<'_>) -> Option<Choice> {
    if form.get("deny").is_some() {
        return Some(Choice::Deny);
    }
    // What is no number names nobody.
    form.get("character_id").map(|id| Choice::Character(CharacterId::from_number(id.parse().unwrap_or_default())))
}

fn wish(form: &Form<'_>) -> Result<Wish, Refusal> {
    if form.get("response_type") != Some("code") {
        return Err(("unsupported_response_type", "response_type must be code."));
    }
    if form.get("state").is_none() {
        return Err(("invalid_request", "state is missing."));
    }
    let scopes: Vec<String> = form.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    if !scopes.iter().all(|scope| KNOWN_SCOPES.contains(&scope.as_str())) {
        return Err(("invalid_scope", "scope names a scope that this application has not."));
    }
    let challenge = form.get("code_challenge");
    match (challenge, form.get("code_challenge_method")) {
        (None, None) => {}
        (Some(challenge), Some("S256")) if challenge.len() == CHALLENGE_LENGTH => {}
        _ => return Err(("invalid_request", "code_challenge needs code_challenge_method=S256 and 43 characters.")),
    }
    Ok(Wish { scopes, challenge: challenge.map(str::to_owned) })
}

/// An address of the caller's own machine, whatever its port.
fn loopback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (is_loopback && matches!(url.scheme(), "http" | "https") && url.fragment().is_none()).then_some(url)
}

fn back(mut callback: Url, state: Option<&str>, parameters: &[(&str, &str)]) -> Answer {
    let state = state.map(|state| ("state", state));
    callback.query_pairs_mut().extend_pairs(parameters.iter().copied().chain(state));
    let mut answer = Answer::empty(302);
    answer.set("Location", callback);
    answer
}

fn page(status: u16, content: &str) -> Answer {
    let head =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>EVE SSO, simulated</title></head>";
    let body = format!("{head}\n<body><h1>EVE SSO, simulated</h1>\n{content}\n</body></html>\n");
    Answer::text(status, "text/html; charset=utf-8", body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

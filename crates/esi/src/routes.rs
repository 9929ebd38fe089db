//! The routes of ESI: four GETs and a POST, each answer whole and checked or an error that says what to do.
//!
//! [`error`] classes what is not an answer, [`budget`] and [`freshness`] read what every answer tells beside its body.

pub(crate) mod affiliations;
pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod error;
pub(crate) mod freshness;
pub(crate) mod list;
mod refusal;
pub(crate) mod server_status;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{Affiliation, CharacterId, ErrorLimit, KillmailRef, ListOwner};
use reqwest::RequestBuilder;
use reqwest::header::{HeaderValue, IF_NONE_MATCH};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::address::{self, BuildError};
use crate::http::answer::RawAnswer;
use crate::http::{Http, NoAnswer, headers, redact};
use affiliations::AFFILIATIONS_MAX;
use body::KillmailBody;
use budget::Budget;
use error::{Call, EsiError, EsiErrorKind};
use freshness::Freshness;
use list::ListPage;
use server_status::ServerStatus;

/// The version of ESI that this build was written against; moved by hand after reading ESI's changelog, never by the
/// clock. The killmail routes have been the same under every date so far.
pub const COMPATIBILITY_DATE: &str = "2026-08-18";

/// What ESI gives, and what it tells beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    pub value: T,
    /// None if ESI did not tell (all or nothing: a limit without its remainder is of no use).
    pub budget: Option<Budget>,
    /// None if ESI did not tell: routes with a bucket do not.
    pub error_limit: Option<ErrorLimit>,
    pub cache: Freshness,
    /// CCP's support asks for it.
    pub request_id: Option<String>,
}

/// ESI. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct Esi {
    http: Http,
    esi_url: Url,
}

impl Esi {
    /// `esi_url` is what all paths stand below, in production `https://esi.evetech.net`.
    ///
    /// # Errors
    /// [`BuildError::Address`] for an address that nothing should be sent to, such as plain http to another machine.
    pub fn build(http: Http, esi_url: Url) -> Result<Self, BuildError> {
        Ok(Self { http, esi_url: address::configured("the ESI address", esi_url)? })
    }

    /// `GET /characters/{character_id}/killmails/recent`, or the same of a corporation. Pages begin with 1 (0 is taken
    /// for it). `etag` is the one that came with this page of this list last time: with it, [`ListPage::NotModified`] is
    /// a likely answer.
    ///
    /// # Errors
    /// [`EsiError`]; see [`EsiErrorKind`] for what each kind asks of the caller.
    pub async fn killmail_list(
        &self,
        owner: ListOwner,
        page: u32,
        access_token: &SecretString,
        etag: Option<&str>,
    ) -> Result<Answered<ListPage>, EsiError> {
        let page = page.max(1);
        let call = Call::List { owner, page };
        let owners = match owner {
            ListOwner::Character(_) => "characters",
            ListOwner::Corporation(_) => "corporations",
        };
        let mut url = address::below(&self.esi_url, &[owners, &owner.id().to_string(), "killmails", "recent"]);
        url.query_pairs_mut().append_pair("page", &page.to_string());
        // A stored validator that cannot stand in a header is left out: the page then costs a token more.
        let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        let asked_with_etag = etag.is_some();

        let raw = self.ask(call, self.http.get(url), Some(access_token), etag).await?;
        let value = if raw.status == 304 && asked_with_etag {
            Ok(ListPage::NotModified)
        } else if raw.is_success() {
            list::read(&raw, page).map_err(|why| EsiError::unreadable(call, &raw, Some(access_token), &why))
        } else {
            match EsiError::refused(call, &raw, Some(access_token)) {
                // Field notes say that ESI may answer so to a character that has no killmails.
                error if page == 1 && *error.kind() == EsiErrorKind::PageDoesNotExist => Ok(ListPage::empty()),
                error => Err(error),
            }
        };
        answered(&raw, value, freshness::LIST)
    }

    /// `GET /killmails/{killmail_id}/{killmail_hash}`: public, immutable.
    ///
    /// # Errors
    /// [`EsiError`]; [`EsiErrorKind::InvalidReference`] if id and hash do not belong together.
    pub async fn killmail_body(&self, reference: &KillmailRef) -> Result<Answered<KillmailBody>, EsiError> {
        let killmail_id = reference.killmail_id;
        let call = Call::Body { killmail_id };
        let segments = ["killmails", &killmail_id.to_string(), reference.killmail_hash.as_str()];
        let request = self.http.get(address::below(&self.esi_url, &segments));
        let raw = self.ask(call, request, None, None).await?;
        let value = if raw.is_success() {
            body::read(&raw, killmail_id).map_err(|why| EsiError::unreadable(call, &raw, None, &why))
        } else {
            Err(EsiError::refused(call, &raw, None))
        };
        answered(&raw, value, freshness::BODY)
    }

    /// `POST /characters/affiliation`: in which corporations these characters are, each once. Needs no token. One that is
    /// missing from ESI's answer is missing here.
    ///
    /// From 1 to [`AFFILIATIONS_MAX`] characters are asked for; who asks for none or more has made a mistake, which a debug
    /// build panics on and ESI refuses.
    ///
    /// # Errors
    /// [`EsiError`]; [`EsiErrorKind::Refused`] for all of them if ESI does not know one.
    pub async fn affiliations(&self, character_ids: &[CharacterId]) -> Result<Answered<Vec<Affiliation>>, EsiError> {
        let asked_for: BTreeSet<CharacterId> = character_ids.iter().copied().collect();
        debug_assert!((1..=AFFILIATIONS_MAX).contains(&asked_for.len()), "{} characters", asked_for.len());
        let call = Call::Affiliations { characters: asked_for.len() };
        let request = self.http.post(address::below(&self.esi_url, &["characters", "affiliation"])).json(&asked_for);
        let raw = self.ask(call, request, None, None).await?;
        let value = if raw.is_success() {
            affiliations::read(&raw, &asked_for).map_err(|why| EsiError::unreadable(call, &raw, None, &why))
        } else {
            Err(EsiError::refused(call, &raw, None))
        };
        answered(&raw, value, freshness::AFFILIATIONS)
    }

    /// `GET /status`: how the game server behind ESI is. It costs nothing of what the other routes may spend.
    ///
    /// # Errors
    /// [`EsiError`], whatever its kind: ESI is not open.
    pub async fn server_status(&self) -> Result<Answered<ServerStatus>, EsiError> {
        let request = self.http.get(address::below(&self.esi_url, &["status"]));
        let raw = self.ask(Call::Status, request, None, None).await?;
        let value = if raw.is_success() {
            server_status::read(&raw).map_err(|why| EsiError::unreadable(Call::Status, &raw, None, &why))
        } else {
            Err(EsiError::refused(Call::Status, &raw, None))
        };
        answered(&raw, value, freshness::STATUS)
    }

    async fn ask(
        &self,
        call: Call,
        request: RequestBuilder,
        access_token: Option<&SecretString>,
        etag: Option<HeaderValue>,
    ) -> Result<RawAnswer, EsiError> {
        let mut request = request.header("X-Compatibility-Date", COMPATIBILITY_DATE);
        if let Some(token) = access_token {
            let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())) else {
                // What cannot stand in a header is not an access token; a refresh gives one that is.
                return Err(EsiError::without_answer(call, EsiErrorKind::Unauthorized).logged());
            };
            bearer.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, bearer);
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        self.http
            .exchange(request)
            .await
            .map_err(|NoAnswer { why, .. }| EsiError::without_answer(call, EsiErrorKind::Unreachable(why)).logged())
    }
}

/// Errors are logged here, because only here is the request id at hand for all of them.
fn answered<T>(raw: &RawAnswer, value: Result<T, EsiError>, rule: freshness::Rule) -> Result<Answered<T>, EsiError> {
    Ok(Answered {
        value: value.map_err(EsiError::logged)?,
        budget: Budget::read(&raw.headers),
        error_limit: headers::error_limit(&raw.headers),
        cache: Freshness::read(&raw.headers, rule),
        request_id: request_id(raw),
    })
}

fn request_id(raw: &RawAnswer) -> Option<String> {
    headers::text(&raw.headers, "x-esi-request-id").map(redact::bounded)
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

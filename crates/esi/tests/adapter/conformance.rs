//! What we send and what we require, held against CCP's own document of ESI.
//!
//! The rule: a request uses only what the document names and everything that it requires; of an answer, all that the
//! document allows is taken, and nothing is required that it does not require. Examples are made of its schemas, so
//! that a name which is wrong on our side has nothing to agree with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use domain::{Affiliation, CharacterId, CorporationId, KillmailHash, KillmailId, KillmailRef, ListOwner};
use esi::{Answered, Esi, EsiError, Freshness, ListPage, ServerStatus};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::server::{Received, Server, reply};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/esi-openapi-excerpt.json")).unwrap());

const LIST: &str = "/characters/{character_id}/killmails/recent";
const CORPORATION_LIST: &str = "/corporations/{corporation_id}/killmails/recent";
const AFFILIATIONS: &str = "/characters/affiliation";
const STATUS: &str = "/status";
const BODY: &str = "/killmails/{killmail_id}/{killmail_hash}";

/// Neither 32 bits nor a double hold it: the document says int64.
const LARGE: i64 = 9_007_199_254_740_993;
const HASH: &str = "9802da62e92a1d86fabdd48963e714819106fa8b";
const TIME: &str = "2016-10-22T17:13:36Z";

type Asked<T> = Result<(T, Freshness), String>;

fn told<T>(answered: Result<Answered<T>, EsiError>) -> Asked<T> {
    answered.map(|answered| (answered.value, answered.cache)).map_err(|error| error.to_string())
}

fn character() -> CharacterId {
    CharacterId::parse(LARGE).unwrap()
}

fn corporation() -> CorporationId {
    CorporationId::parse(LARGE).unwrap()
}

/// The token that is sent is named by the scope that we think is needed.
async fn list(esi: &Esi, owner: ListOwner, page: u32, etag: Option<&str>) -> Asked<ListPage> {
    told(esi.killmail_list(owner, page, &SecretString::from(owner.scope()), etag).await)
}

async fn affiliations(esi: &Esi, characters: i64) -> Asked<Vec<Affiliation>> {
    let character_ids: Vec<_> = (0..characters).map(|less| CharacterId::parse(LARGE - less).unwrap()).collect();
    told(esi.affiliations(&character_ids).await)
}

async fn status(esi: &Esi) -> Asked<ServerStatus> {
    told(esi.server_status().await)
}

async fn body(esi: &Esi) -> Asked<String> {
    let killmail_hash = KillmailHash::parse(HASH).unwrap();
    let reference = KillmailRef { killmail_id: KillmailId::parse(LARGE).unwrap(), killmail_hash };
    told(esi.killmail_body(&reference).await).map(|(body, freshness)| (body.json, freshness))
}

#[tokio::test]
async fn every_request_is_one_that_the_document_describes() {
    let server = Server::start(|_| reply(503, &[], "")).await;
    let esi = server.esi();
    for owner in [ListOwner::Character(character()), ListOwner::Corporation(corporation())] {
        for (page, etag) in [(1, None), (7, None), (1, Some("W/\"0f6c1b\""))] {
            list(&esi, owner, page, etag).await.unwrap_err();
        }
    }
    body(&esi).await.unwrap_err();
    for characters in [1, esi::AFFILIATIONS_MAX as i64] {
        affiliations(&esi, characters).await.unwrap_err();
    }
    status(&esi).await.unwrap_err();
    let received = server.received();
    let templates: Vec<&str> = received.iter().map(assert_described).collect();
    let lists = [LIST, LIST, LIST, CORPORATION_LIST, CORPORATION_LIST, CORPORATION_LIST];
    assert_eq!(templates, [&lists[..], &[BODY, AFFILIATIONS, AFFILIATIONS, STATUS]].concat());
}

/// Gives the path of the document that a request goes to.
fn assert_described(request: &Received) -> &'static str {
    let url = Url::parse("http://esi").unwrap().join(&request.path).unwrap();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.keys().filter_map(|template| Some((template, placeholders(template, url.path())?)));
    // A path with fewer open places goes before one with more (OpenAPI 3.1, 4.8.8.2).
    let (template, placeholders) = fitting
        .min_by_key(|(_, placeholders)| placeholders.len())
        .unwrap_or_else(|| panic!("no path for {}", request.path));
    let operation = &paths[template][request.method.to_lowercase()];
    assert!(operation.is_object(), "no {} {template}", request.method);

    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(query.len(), url.query_pairs().count(), "a parameter twice in {}", request.path);
    let (mut used_in_path, mut used_in_query, mut headers) = (0, 0, Vec::new());
    for parameter in operation["parameters"].as_array().unwrap().iter().map(resolved) {
        let name = parameter["name"].as_str().unwrap();
        let sent = match parameter["in"].as_str().unwrap() {
            "path" => placeholders.get(name).inspect(|_| used_in_path += 1).copied(),
            "query" => query.get(name).inspect(|_| used_in_query += 1).map(String::as_str),
            "header" => {
                headers.push(name.to_lowercase());
                request.header(name)
            }
            other => panic!("a parameter in the {other}"),
        };
        match sent {
            Some(sent) => assert_fits(name, sent, resolved(&parameter["schema"])),
            None => assert_ne!(parameter["required"], true, "{template} requires {name}"),
        }
    }
    assert_eq!(used_in_path, placeholders.len(), "the names in {template}");
    assert_eq!(used_in_query, query.len(), "the query of {} has what {template} does not know", request.path);
    let of_esi = |name: &&str| name.starts_with("x-") || name.starts_with("if-");
    for name in request.headers.keys().map(|name| name.as_str()).filter(of_esi) {
        assert!(headers.iter().any(|known| known == name), "{template} does not know the header {name}");
    }
    let since = operation["x-compatibility-date"].as_str().unwrap();
    assert!(esi::COMPATIBILITY_DATE >= since, "{template} is as we know it since {since}");

    let scopes = operation["security"].as_array().map(|schemes| schemes[0]["OAuth2"].clone());
    let ours = request.header("authorization").map(|sent| json!([sent.strip_prefix("Bearer ").unwrap()]));
    assert_eq!(ours, scopes, "the scopes of {template}");
    assert_body_described(request, &operation["requestBody"]);
    template
}

fn assert_body_described(request: &Received, described: &'static Value) {
    if described.is_null() {
        assert_eq!((request.body.as_str(), request.header("content-type")), ("", None), "{} has no body", request.path);
        return;
    }
    let content_type = request.header("content-type").unwrap();
    let schema = resolved(&described["content"][content_type]["schema"]);
    assert_eq!((&schema["type"], &schema["items"]["type"]), (&json!("array"), &json!("integer")));
    let sent: Vec<i64> = serde_json::from_str(&request.body).unwrap();
    let bounds = ["minItems", "maxItems"].map(|bound| schema[bound].as_u64().unwrap() as usize);
    assert!((bounds[0]..=bounds[1]).contains(&sent.len()), "{} of {bounds:?}", sent.len());
    assert_eq!(schema["uniqueItems"], true);
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), sent.len(), "each once");
}

/// What stands in the places that a path of the document leaves open; none if the path is another one.
fn placeholders<'path>(template: &'static str, path: &'path str) -> Option<BTreeMap<&'static str, &'path str>> {
    let (names, values): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if names.len() != values.len() {
        return None;
    }
    let mut open = BTreeMap::new();
    for (name, value) in names.into_iter().zip(values) {
        match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => drop(open.insert(name, value)),
            None if name == value => {}
            None => return None,
        }
    }
    Some(open)
}

fn assert_fits(name: &str, sent: &str, schema: &Value) {
    match (schema["type"].as_str().unwrap(), schema["format"].as_str()) {
        ("integer", _) => {
            let number: i64 = sent.parse().unwrap_or_else(|_| panic!("{name} is an integer, not {sent}"));
            assert!(schema["minimum"].as_i64().is_none_or(|minimum| number >= minimum), "{name} is {number}");
        }
        ("string", Some("date")) => {
            assert!(sent.parse::<chrono::NaiveDate>().is_ok(), "{name} is a date, not {sent}");
        }
        ("string", None) => assert!(!sent.is_empty(), "{name} is empty"),
        other => panic!("{name} is of {other:?}"),
    }
}

#[tokio::test]
async fn of_a_list_nothing_is_required_that_the_document_does_not_require() {
    for (template, owner) in
        [(LIST, ListOwner::Character(character())), (CORPORATION_LIST, ListOwner::Corporation(corporation()))]
    {
        let answer = Answer::start(template).await;
        let required = answer.what_is_required(async || list(&answer.esi, owner, 1, None).await.map(|_| ())).await;
        assert_eq!(required, ["/0/killmail_hash", "/0/killmail_id"]);
        let (page, freshness) = list(&answer.esi, owner, 1, None).await.unwrap();
        let ListPage::Page { references, pages, etag } = page else { panic!("no page") };
        assert_eq!((references[0].killmail_id.get(), references[0].killmail_hash.as_str()), (LARGE, HASH));
        assert_eq!((pages, etag.as_deref()), (Some(17), Some("\"0f6c1b\"")), "the headers have their names");
        assert_eq!(freshness.lives_for, answer.lives_for());
    }
}

#[tokio::test]
async fn of_affiliations_nothing_is_required_that_the_document_does_not_require() {
    let answer = Answer::start(AFFILIATIONS).await;
    let required = answer.what_is_required(async || affiliations(&answer.esi, 1).await.map(|_| ())).await;
    assert_eq!(required, ["/0/character_id", "/0/corporation_id"]);
    let (rows, freshness) = affiliations(&answer.esi, 1).await.unwrap();
    assert_eq!(rows, [Affiliation { character_id: character(), corporation_id: corporation() }]);
    assert_eq!(freshness.lives_for, answer.lives_for());
}

#[tokio::test]
async fn of_a_status_nothing_is_required_that_the_document_does_not_require() {
    let answer = Answer::start(STATUS).await;
    let required = answer.what_is_required(async || status(&answer.esi).await.map(|_| ())).await;
    assert_eq!(required, ["/players"]);
    let (status, freshness) = status(&answer.esi).await.unwrap();
    let started_at = Some(TIME.parse().unwrap());
    assert_eq!(
        status,
        ServerStatus { players: LARGE as u64, is_vip: true, started_at },
        "the members have their names"
    );
    assert_eq!(freshness.lives_for, answer.lives_for());
}

#[tokio::test]
async fn of_a_body_nothing_is_required_that_the_document_does_not_require() {
    let answer = Answer::start(BODY).await;
    let required = answer.what_is_required(async || body(&answer.esi).await.map(|_| ())).await;
    assert_eq!(required, ["/attackers", "/killmail_id", "/killmail_time", "/solar_system_id", "/victim"]);
    let (json, freshness) = body(&answer.esi).await.unwrap();
    assert_eq!(json, answer.full().to_string());
    assert_eq!(freshness.lives_for, answer.lives_for());
}

/// A route of ESI that answers with what the test has made of its schema.
struct Answer {
    operation: &'static Value,
    esi: Esi,
    body: Arc<Mutex<String>>,
    _server: Server,
}

impl Answer {
    async fn start(template: &str) -> Self {
        let method = if template == AFFILIATIONS { "post" } else { "get" };
        let operation = &DOCUMENT["paths"][template][method];
        let body: Arc<Mutex<String>> = Arc::default();
        let served = Arc::clone(&body);
        let server = Server::start(move |_| {
            let headers = operation["responses"]["200"]["headers"].as_object().unwrap();
            let headers: Vec<_> = headers.keys().filter_map(|name| Some((name.as_str(), header(name)?))).collect();
            reply(200, &headers, served.lock().unwrap().clone())
        })
        .await;
        let answer = Self { operation, esi: server.esi(), body, _server: server };
        answer.give(&answer.full());
        answer
    }

    fn schema(&self) -> &'static Value {
        resolved(&self.operation["responses"]["200"]["content"]["application/json"]["schema"])
    }

    /// With every member that the document names.
    fn full(&self) -> Value {
        example("", self.schema(), true)
    }

    fn give(&self, body: &Value) {
        *self.body.lock().unwrap() = body.to_string();
    }

    /// The members without which an answer is refused. Each must be one that the document requires.
    async fn what_is_required(&self, ask: impl AsyncFn() -> Result<(), String>) -> Vec<String> {
        for body in [self.full(), example("", self.schema(), false)] {
            self.give(&body);
            ask().await.unwrap_or_else(|error| panic!("{error}: {body}"));
        }
        let mut required_by_us = Vec::new();
        for (pointer, is_required) in members("", self.schema()) {
            self.give(&without(self.full(), &pointer));
            if let Err(error) = ask().await {
                assert!(is_required, "the document does not require {pointer}: {error}");
                required_by_us.push(pointer);
            }
        }
        self.give(&self.full());
        required_by_us
    }

    fn lives_for(&self) -> Duration {
        Duration::from_secs(self.operation["x-client-cache-ttl"].as_u64().unwrap())
    }
}

/// Without `Cache-Control`, so that the time which we take from the document is seen.
fn header(name: &str) -> Option<&'static str> {
    match name {
        "X-Pages" => Some("17"),
        "ETag" => Some("\"0f6c1b\""),
        "Last-Modified" => Some("Fri, 20 Nov 2026 12:00:00 GMT"),
        "Cache-Control" => None,
        other => panic!("the header {other} is new"),
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => resolved(DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap()),
        None => value,
    }
}

fn properties(schema: &'static Value) -> impl Iterator<Item = (&'static String, &'static Value, bool)> {
    let required = schema["required"].as_array();
    let is_required = move |name: &String| required.is_some_and(|names| names.iter().any(|other| other == name));
    let properties = schema["properties"].as_object().unwrap().iter();
    properties.map(move |(name, schema)| (name, resolved(schema), is_required(name)))
}

/// What a schema describes, with all members or with those only that are required.
fn example(name: &str, schema: &'static Value, is_full: bool) -> Value {
    match (schema["type"].as_str().unwrap(), schema["format"].as_str()) {
        ("object", None) => {
            let members = properties(schema).filter(|(.., is_required)| is_full || *is_required);
            members.map(|(name, schema, _)| (name.clone(), example(name, schema, is_full))).collect()
        }
        ("array", None) => json!([example("", resolved(&schema["items"]), is_full)]),
        ("integer", Some("int64") | None) => json!(LARGE),
        ("number", Some("double")) => json!(-0.25),
        ("boolean", None) => json!(true),
        ("string", Some("date-time")) => json!(TIME),
        // The document says no more of it than that it is a string.
        ("string", None) if name == "killmail_hash" => json!(HASH),
        ("string", None) if name == "server_version" => json!("3142455"),
        other => panic!("{name} is of {other:?}"),
    }
}

/// Where the members of a full example stand, and whether the document requires them.
fn members(place: &str, schema: &'static Value) -> Vec<(String, bool)> {
    match schema["type"].as_str().unwrap() {
        "object" => {
            let members_of = |(name, schema, is_required)| {
                let place = format!("{place}/{name}");
                let below = members(&place, schema);
                std::iter::once((place, is_required)).chain(below).collect::<Vec<_>>()
            };
            properties(schema).flat_map(members_of).collect()
        }
        "array" => members(&format!("{place}/0"), resolved(&schema["items"])),
        _ => Vec::new(),
    }
}

fn without(mut example: Value, pointer: &str) -> Value {
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    let removed = example.pointer_mut(holder).and_then(|holder| holder.as_object_mut()?.remove(name));
    assert!(removed.is_some(), "there is a {pointer}");
    example
}

//! Corporations: who may read their lists, what is on them, and who is in which.

use super::super::ids::{CharacterId, CorporationId};
use super::super::list_owner::ListOwner;
use super::super::steering::Change;
use super::super::{Answer, Call, Model, Request, Settings};
use super::{at, ids, json, model, request};

const SCOPES: [&str; 2] = ["esi-killmails.read_killmails.v1", "esi-killmails.read_corporation_killmails.v1"];

/// Somewhere else.
const ELSEWHERE: CorporationId = CorporationId::from_number(98_000_001);
const NPC: CorporationId = CorporationId::from_number(1_000_125);

fn corporation_request(corporation_id: CorporationId, authorization: &str, page: Option<&str>) -> Request {
    let call = Call::List { owner: ListOwner::Corporation(corporation_id), page: page.map(str::to_owned) };
    Request { authorization: Some(authorization.to_owned()), ..request(call) }
}

/// All five are in one corporation: the ids of its members, the first of whom is its director.
fn one_corporation(model: &Model) -> (CorporationId, Vec<CharacterId>) {
    let members: Vec<_> = model.characters(at(0)).map(|(character, _)| character).collect();
    let corporation_id = members[0].corporation_id;
    assert!(members.iter().all(|member| member.corporation_id == corporation_id));
    assert_eq!(members.iter().map(|member| member.is_director).collect::<Vec<_>>(), [true, false, false, false, false]);
    (corporation_id, members.iter().map(|member| member.character_id).collect())
}

/// `Authorization` with both scopes.
fn bearer(model: &mut Model, seconds: i64, character_id: CharacterId) -> String {
    let scopes = Some(SCOPES.map(str::to_owned).to_vec());
    model.change(character_id, Change { scopes, ..Change::default() }).unwrap();
    model.sign_in(at(seconds), character_id)
}

fn move_to(model: &mut Model, character_id: CharacterId, corporation_id: CorporationId, is_director: Option<bool>) {
    let change = Change { corporation_id: Some(corporation_id), is_director, ..Change::default() };
    model.change(character_id, change).unwrap();
}

fn affiliation(model: &mut Model, body: &str) -> Answer {
    model.ask(at(0), &request(Call::Affiliation { body: body.to_owned() }))
}

#[test]
fn a_corporation_list_holds_what_is_on_its_members_lists_each_once() {
    let mut model = model(Settings { page_size: 10, ..Settings::default() });
    let (corporation_id, members) = one_corporation(&model);
    let bearer = bearer(&mut model, 0, members[0]);
    let mut truth: Vec<i64> = model.killmails().map(|killmail| killmail.killmail_id.number()).collect();
    truth.reverse();
    let first = model.ask(at(0), &corporation_request(corporation_id, &bearer, None));
    let pages: usize = first.header("X-Pages").unwrap().parse().unwrap();
    assert_eq!((pages, truth.len()), (4, 40));
    assert_eq!(first.header("X-Ratelimit-Group"), Some("corp-killmail"));
    assert_eq!(
        (first.header("X-Ratelimit-Limit"), first.header("X-Ratelimit-Remaining")),
        (Some("30/15m"), Some("28"))
    );
    assert_eq!(first.header("Expires"), Some("Fri, 20 Nov 2026 12:05:00 GMT"));
    let mut seen = ids(&first);
    for page in 2..=pages {
        seen.extend(ids(&model.ask(at(0), &corporation_request(corporation_id, &bearer, Some(&page.to_string())))));
    }
    assert_eq!(seen, truth);
    let beyond = model.ask(at(0), &corporation_request(corporation_id, &bearer, Some("5")));
    assert_eq!((beyond.status, beyond.body.as_str()), (404, r#"{"error":"Requested page does not exist!"}"#));
    let unchanged = Request {
        if_none_match: first.header("ETag").map(str::to_owned),
        ..corporation_request(corporation_id, &bearer, None)
    };
    assert_eq!(model.counters().requests_before_expiry, 0);
    assert_eq!(model.ask(at(300), &unchanged).status, 304);
    assert_eq!(model.ask(at(301), &unchanged).status, 304);
    let counters = model.counters();
    assert_eq!(counters.requests_before_expiry, 1, "its second copy was asked for too early");
    assert_eq!((counters.requests.corporation_list, counters.requests.list), (7, 0));
    assert_eq!(counters.corporation_list_calls_by_corporation[&corporation_id], 7);
    assert_eq!(counters.tokens_spent["corp-killmail"], 4 * 2 + 5 + 2);
}

#[test]
fn whoever_moves_takes_the_killmails_along_when_the_copy_expires() {
    let mut model = model(Settings::default());
    let (corporation_id, members) = one_corporation(&model);
    let bearer = bearer(&mut model, 0, members[0]);
    let ask = corporation_request(corporation_id, &bearer, None);
    let before = model.ask(at(0), &ask);
    for member in &members[1..] {
        move_to(&mut model, *member, ELSEWHERE, None);
    }
    assert_eq!(model.ask(at(299), &ask).body, before.body);
    let mine = model.world.list(ListOwner::Character(members[0]));
    assert_eq!(ids(&model.ask(at(300), &ask)), mine.iter().rev().map(|id| id.number()).collect::<Vec<_>>());
    let lists: Vec<_> = model.corporation_lists().collect();
    assert_eq!(
        lists.iter().map(|(corporation_id, _)| *corporation_id).collect::<Vec<_>>(),
        [ELSEWHERE, corporation_id]
    );
    assert_eq!(lists[1].1, mine);
}

#[test]
fn only_a_director_with_the_scope_reads_the_list_of_the_corporation() {
    let mut model = model(Settings::default());
    let (corporation_id, members) = one_corporation(&model);
    let (director, member) = (members[0], members[1]);
    let scopeless = model.sign_in(at(0), director);
    let (with_role, without) = (bearer(&mut model, 0, director), bearer(&mut model, 0, member));
    let scope = r#"{"error":"Token is not valid for any required scope"}"#;
    let role = r#"{"error":"Character does not have required role(s)"}"#;
    let stranger = r#"{"error":"Character is not in the corporation"}"#;
    let invalid = r#"{"error":"Unauthorized - Invalid token"}"#;
    let mut refused = |corporation_id, bearer: &str, status, body: &str| {
        let answer = model.ask(at(0), &corporation_request(corporation_id, bearer, None));
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert_eq!(answer.header("X-Ratelimit-Used"), Some("5"));
        assert_eq!(answer.header("X-Ratelimit-Group"), Some("corp-killmail"));
    };
    refused(corporation_id, "Bearer nonsense", 401, invalid);
    refused(corporation_id, &scopeless, 403, scope);
    refused(corporation_id, &without, 403, role);
    refused(ELSEWHERE, &with_role, 403, stranger);
    refused(NPC, &with_role, 403, stranger);

    // The same token, whatever becomes of its character.
    move_to(&mut model, director, NPC, Some(true));
    let answer = model.ask(at(0), &corporation_request(NPC, &with_role, None));
    assert_eq!((answer.status, answer.body.as_str()), (403, role), "nobody directs it");
    assert_eq!(model.ask(at(0), &corporation_request(corporation_id, &with_role, None)).body, stranger);
    move_to(&mut model, director, corporation_id, Some(true));
    assert_eq!(model.ask(at(0), &corporation_request(corporation_id, &with_role, None)).status, 200, "it was told so");
    move_to(&mut model, director, ELSEWHERE, None);
    move_to(&mut model, director, corporation_id, None);
    assert_eq!(model.ask(at(0), &corporation_request(corporation_id, &with_role, None)).body, role, "it has moved");
    model.change(member, Change { is_director: Some(true), ..Change::default() }).unwrap();
    assert_eq!(model.ask(at(0), &corporation_request(corporation_id, &without, None)).status, 200);
}

#[test]
fn two_directors_have_two_buckets_and_faults_tell_them_apart() {
    let mut model = model(Settings::default());
    let (corporation_id, members) = one_corporation(&model);
    model.change(members[1], Change { is_director: Some(true), ..Change::default() }).unwrap();
    let bearers = [bearer(&mut model, 0, members[0]), bearer(&mut model, 0, members[1])];
    let ask =
        |model: &mut Model, index: usize| model.ask(at(0), &corporation_request(corporation_id, &bearers[index], None));
    for index in [0, 1] {
        assert_eq!(ask(&mut model, index).header("X-Ratelimit-Remaining"), Some("28"));
    }
    model.put_fault(&format!(
        r#"{{"on":"corporation_list","corporation_id":{corporation_id},"character_id":{},"page":1,"do":{{"kind":"truncate"}}}}"#,
        members[1]
    ));
    assert_eq!(ask(&mut model, 0).delivery, super::super::Delivery::Whole);
    assert_eq!(ask(&mut model, 1).delivery, super::super::Delivery::CutInHalf);
    model.put_fault(&format!(
        r#"{{"on":"corporation_list","corporation_id":{ELSEWHERE},"do":{{"kind":"wrong_types"}}}}"#
    ));
    assert_eq!(json(&ask(&mut model, 1))[0]["killmail_id"], json(&ask(&mut model, 0))[0]["killmail_id"]);
    model.put_fault(r#"{"on":"corporation_list","do":{"kind":"wrong_types"}}"#);
    assert_eq!(json(&ask(&mut model, 1))[0]["killmail_id"], "many");
}

#[test]
fn affiliations_are_told_for_all_or_for_none_and_errors_are_charged_to_the_error_limit() {
    let mut model = model(Settings::default());
    let (corporation_id, members) = one_corporation(&model);
    move_to(&mut model, members[2], NPC, None);
    let told = affiliation(&mut model, &format!("[{},{}]", members[2], members[0]));
    assert_eq!(told.status, 200);
    assert_eq!(
        json(&told),
        serde_json::json!([
            { "character_id": members[2], "corporation_id": NPC },
            { "character_id": members[0], "corporation_id": corporation_id },
        ])
    );
    assert_eq!(told.header("X-ESI-Error-Limit-Remain"), Some("100"));
    assert_eq!((told.header("X-ESI-Error-Limit-Reset"), told.header("X-Ratelimit-Group")), (Some("60"), None));
    let unknown = affiliation(&mut model, &format!("[{},1]", members[0]));
    assert_eq!((unknown.status, unknown.body.as_str()), (404, r#"{"error":"Character not found"}"#));
    assert_eq!(unknown.header("X-ESI-Error-Limit-Remain"), Some("99"));
    let too_many = serde_json::json!((1..=1001).collect::<Vec<_>>()).to_string();
    for wrong in ["", "{}", "[]", "[\"7\"]", &format!("[{0},{0}]", members[0]), &too_many] {
        assert_eq!(affiliation(&mut model, wrong).status, 400, "{wrong:.20}");
    }
    model.put_fault(r#"{"on":"affiliation","do":{"kind":"answer","status":520}}"#);
    let faulted = affiliation(&mut model, "[1]");
    assert_eq!((faulted.status, faulted.header("X-ESI-Error-Limit-Remain")), (520, Some("92")));
    assert_eq!(model.counters().requests.affiliation, 9);
    assert!(model.counters().tokens_spent.is_empty());
}

#[test]
fn affiliation_calls_in_flight_are_counted() {
    let mut model = model(Settings::default());
    let call = request(Call::Affiliation { body: "[]".to_owned() });
    for _ in 0..2 {
        model.ask(at(0), &call);
    }
    assert_eq!(model.counters().parallel_affiliation_calls_max, 1);
    for _ in 0..2 {
        model.arrive(at(0), &call);
    }
    model.call_ended(call.call.route());
    model.ask(at(0), &call);
    assert_eq!((model.counters().parallel_affiliation_calls_max, model.counters().parallel_token_calls_max), (2, 0));
}

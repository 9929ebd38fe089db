//! Lists and details: pages, caches, validators, who may read what.

use serde_json::Value;

use super::super::ids::KillmailId;
use super::super::{Call, Request, Settings};
use super::{at, ids, json, list_request, model, request};

#[test]
fn pages_together_hold_each_reference_once_newest_first() {
    let mut model = model(Settings { page_size: 4, ..Settings::default() });
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let truth: Vec<i64> =
        model.world.character(character_id).unwrap().killmail_ids.iter().rev().map(|id| id.number()).collect();
    let first = model.ask(at(0), &list_request(character_id, &bearer, None));
    let pages: usize = first.header("X-Pages").unwrap().parse().unwrap();
    assert_eq!(pages, truth.len().div_ceil(4));
    assert!(pages > 1);
    let mut seen = ids(&first);
    for page in 2..=pages {
        let answer = model.ask(at(0), &list_request(character_id, &bearer, Some(&page.to_string())));
        assert_eq!(answer.header("Last-Modified"), first.header("Last-Modified"));
        seen.extend(ids(&answer));
    }
    assert_eq!(seen, truth);
    let beyond = model.ask(at(0), &list_request(character_id, &bearer, Some(&(pages + 1).to_string())));
    assert_eq!((beyond.status, beyond.body.as_str()), (404, r#"{"error":"Requested page does not exist!"}"#));
    for bad in ["0", "two"] {
        assert_eq!(model.ask(at(0), &list_request(character_id, &bearer, Some(bad))).status, 400);
    }
}

#[test]
fn a_new_killmail_becomes_visible_when_the_cached_list_expires() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let before = model.ask(at(0), &list_request(character_id, &bearer, None));
    assert_eq!(before.header("Expires"), Some("Fri, 20 Nov 2026 12:05:00 GMT"));
    assert_eq!(before.header("X-Esi-Cache-Status"), Some("MISS"));
    let new = model.fight(at(10), &[character_id], 1).unwrap();
    let cached = model.ask(at(299), &list_request(character_id, &bearer, None));
    assert_eq!(cached.body, before.body);
    assert_eq!(cached.header("X-Esi-Cache-Status"), Some("HIT"));
    let after = model.ask(at(300), &list_request(character_id, &bearer, None));
    assert_eq!(ids(&after)[0], new[0].number());
    assert_ne!(after.header("ETag"), before.header("ETag"));
}

#[test]
fn validators_are_taken_back_in_both_forms() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let ask = list_request(character_id, &bearer, None);
    let tag = model.ask(at(0), &ask).header("ETag").unwrap().to_owned();
    for validator in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let answer = model.ask(at(400), &Request { if_none_match: Some(validator), ..ask.clone() });
        assert_eq!((answer.status, answer.body.as_str()), (304, ""));
        assert_eq!(answer.header("X-Ratelimit-Used"), Some("1"));
        assert!(answer.header("Expires").is_some());
    }
    let other = Request { if_none_match: Some("\"other\"".to_owned()), ..ask };
    assert_eq!(model.ask(at(400), &other).status, 200);
}

#[test]
fn asking_before_expiry_is_counted_by_page() {
    let mut model = model(Settings { page_size: 4, ..Settings::default() });
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let first = list_request(character_id, &bearer, None);
    model.ask(at(0), &first);
    model.ask(at(1), &list_request(character_id, &bearer, Some("2")));
    assert_eq!(model.counters().requests_before_expiry, 0);
    model.ask(at(299), &first);
    assert_eq!(model.counters().requests_before_expiry, 1);
    model.ask(at(300), &first);
    assert_eq!(model.counters().requests_before_expiry, 1);
}

#[test]
fn a_caller_that_got_no_answer_may_ask_again() {
    let mut model = model(Settings::default());
    let (character_id, _) = model.first_character();
    let bearer = model.sign_in(at(0), character_id);
    let ask = list_request(character_id, &bearer, None);
    for kind in ["lost_answer", "truncate", "wrong_types", "html", "reset"] {
        model.put_fault(&format!(r#"{{"on":"list","do":{{"kind":"{kind}"}}}}"#));
        model.ask(at(0), &ask);
    }
    model.put_fault(r#"{"on":"list","do":{"kind":"unknown_fields"}}"#);
    model.ask(at(0), &ask);
    assert_eq!(model.counters().requests_before_expiry, 0);
    model.ask(at(0), &ask);
    assert_eq!(model.counters().requests_before_expiry, 1);
}

#[test]
fn only_a_good_token_of_the_same_character_reads_a_list() {
    let mut model = model(Settings::default());
    let mut characters =
        model.characters(at(0)).map(|(character, _)| character.character_id).collect::<Vec<_>>().into_iter();
    let (mine, other) = (characters.next().unwrap(), characters.next().unwrap());
    let bearer = model.sign_in(at(0), mine);
    let without = Request { authorization: None, ..list_request(mine, "", None) };
    let scopeless = model.login(at(0), mine, vec!["esi-skills.read_skills.v1".to_owned()]).unwrap();
    let scopeless = json(&model.refresh_with(at(0), &scopeless))["access_token"].as_str().unwrap().to_owned();
    let cases = [
        (at(0), without, 401, r#"{"error":"Unauthorized - No token provided"}"#),
        (at(0), list_request(mine, "Bearer nonsense", None), 401, r#"{"error":"Unauthorized - Invalid token"}"#),
        (at(1200), list_request(mine, &bearer, None), 401, r#"{"error":"Unauthorized - Invalid token"}"#),
        (
            at(0),
            list_request(mine, &format!("Bearer {scopeless}"), None),
            403,
            r#"{"error":"Token is not valid for any required scope"}"#,
        ),
        (at(0), list_request(other, &bearer, None), 403, r#"{"error":"Token is not valid for this character"}"#),
    ];
    for (now, request, status, body) in cases {
        let answer = model.ask(now, &request);
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert_eq!(answer.header("X-Ratelimit-Used"), Some("5"));
    }
    assert_eq!(model.ask(at(1199), &list_request(mine, &bearer, None)).status, 200);
}

#[test]
fn details_need_the_right_hash() {
    let mut model = model(Settings::default());
    let killmail = model.killmails().next().unwrap().clone();
    let ask = |killmail_id, hash: &str| request(Call::Detail { killmail_id, killmail_hash: hash.to_owned() });
    let good = model.ask(at(0), &ask(killmail.killmail_id, killmail.killmail_hash.as_str()));
    assert_eq!((good.status, good.body.as_str()), (200, killmail.body.get()));
    assert_eq!(good.header("Cache-Control"), Some("public, max-age=2592000"));
    assert_eq!(good.header("X-Ratelimit-Remaining"), Some("3598"));
    let tag = good.header("ETag").map(str::to_owned);
    let again = Request { if_none_match: tag, ..ask(killmail.killmail_id, killmail.killmail_hash.as_str()) };
    assert_eq!(model.ask(at(0), &again).status, 304);
    let wrong = "0".repeat(40);
    for request in [ask(killmail.killmail_id, &wrong), ask(KillmailId::from_number(1), killmail.killmail_hash.as_str())]
    {
        let answer = model.ask(at(0), &request);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (422, r#"{"error":"Invalid killmail_id and/or killmail_hash"}"#)
        );
    }
    assert_eq!(model.counters().detail_calls_by_killmail[&killmail.killmail_id], 3);
}

#[test]
fn status_tells_when_the_server_came_up() {
    let mut model = model(Settings::default());
    let answer = model.ask(at(0), &request(Call::Status));
    assert_eq!(json(&answer)["start_time"], Value::from("2026-11-20T11:01:55Z"));
    let answer = model.ask(at(-3600 + 100), &request(Call::Status));
    assert_eq!(json(&answer)["start_time"], Value::from("2026-11-19T11:01:55Z"));
    assert_eq!(answer.header("X-Ratelimit-Limit"), Some("600/15m"));
}

#[test]
fn compatibility_dates_lie_between_2020_and_today() {
    let mut model = model(Settings::default());
    let cases = [
        ("2026-08-18", 200),
        ("2020-01-01", 200),
        ("2026-11-20", 200),
        ("2026-11-21", 400),
        ("2019-12-31", 400),
        ("soon", 400),
    ];
    for (date, status) in cases {
        let ask = Request { compatibility_date: Some(date.to_owned()), ..request(Call::Status) };
        assert_eq!(model.ask(at(0), &ask).status, status, "{date}");
    }
    // ESI's day begins at 11:00 UTC.
    let ask = Request { compatibility_date: Some("2026-11-20".to_owned()), ..request(Call::Status) };
    assert_eq!(model.ask(at(-2 * 3600), &ask).status, 400);
}

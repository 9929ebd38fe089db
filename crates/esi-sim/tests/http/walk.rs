//! A client's whole way: discovery, keys, token, list, details.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use esi_sim::model::Settings;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

use super::Sim;

#[tokio::test]
async fn a_client_finds_its_way_from_discovery_to_bodies() {
    let sim = Sim::start(Settings { page_size: 7, ..Settings::default() }).await;
    let discovery = sim.json("/.well-known/oauth-authorization-server").await;
    assert_eq!(discovery["token_endpoint"], format!("{}/v2/oauth/token", sim.url));
    assert_eq!(discovery["issuer"], "https://login.eveonline.com");
    let keys: Value =
        sim.client.get(discovery["jwks_uri"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    let (character_id, refresh_token) = sim.character(0).await;
    let access_token = sim.access_token(&refresh_token).await;
    assert!(is_signed_by(&keys["keys"][0], &access_token));
    assert_eq!(keys["keys"][1]["kty"], "EC");
    assert_eq!(keys["SkipUnresolvedJsonWebKeys"], true);

    let truth = sim.json("/sim/truth").await;
    let listed = truth["lists"].as_array().unwrap().iter().find(|list| list["character_id"] == character_id).unwrap();
    let (mut page, mut pages, mut bodies) = (0, 1, 0);
    while page < pages {
        page += 1;
        let path = format!("/characters/{character_id}/killmails/recent?page={page}");
        let answer = sim.get(&path).bearer_auth(&access_token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        for name in ["etag", "expires", "last-modified", "cache-control", "date", "x-esi-request-id"] {
            assert!(answer.headers().contains_key(name), "{name}");
        }
        pages = answer.headers()["x-pages"].to_str().unwrap().parse().unwrap();
        for reference in answer.json::<Vec<Value>>().await.unwrap() {
            let path = format!(
                "/latest/killmails/{}/{}/",
                reference["killmail_id"],
                reference["killmail_hash"].as_str().unwrap()
            );
            let body: Value = sim.get(&path).send().await.unwrap().json().await.unwrap();
            let known =
                truth["killmails"].as_array().unwrap().iter().find(|k| k["killmail_id"] == reference["killmail_id"]);
            assert_eq!(body, known.unwrap()["body"]);
            bodies += 1;
        }
    }
    assert!(pages > 1);
    assert_eq!(bodies, listed["killmail_ids"].as_array().unwrap().len());

    let counters = sim.json("/sim/counters").await;
    assert_eq!(counters["requests"]["list"], pages);
    assert_eq!(counters["requests"]["detail"], bodies);
    assert_eq!(counters["tokens_spent"]["char-killmail"], 2 * pages);
    assert_eq!(counters["tokens_spent_total"], 2 * (pages + bodies));
    assert_eq!(counters["missing_user_agent"], 0);
    assert_eq!(counters["list_calls_by_character"][character_id.to_string()], pages);
}

#[tokio::test]
async fn control_routes_change_the_world_and_are_not_counted() {
    let sim = Sim::start(Settings::default()).await;
    let ((first, token), (second, _)) = (sim.character(0).await, sim.character(1).await);
    let body = format!(r#"{{"character_ids":[{first},{second}],"count":3}}"#);
    let new: Vec<i64> = sim.post("/sim/killmails", &body).await.json().await.unwrap();
    assert_eq!(new.len(), 3);
    for character in &sim.json("/sim/characters").await.as_array().unwrap()[..2] {
        let on_list = character["killmail_ids"].as_array().unwrap();
        assert!(new.iter().all(|id| on_list.contains(&Value::from(*id))));
    }
    let login: Value = sim.post(&format!("/sim/characters/{first}/login"), "").await.json().await.unwrap();
    assert_eq!(sim.refresh(login["refresh_token"].as_str().unwrap()).send().await.unwrap().status(), 200);
    assert_eq!(sim.refresh(&token).send().await.unwrap().status(), 200);
    assert_eq!(sim.post(&format!("/sim/characters/{first}/revoke"), "").await.status(), 200);
    assert_eq!(sim.refresh(&token).send().await.unwrap().status(), 400);
    assert!(sim.json("/sim/characters").await[0]["refresh_token"].is_null());
    assert_eq!(sim.post(&format!("/sim/characters/{second}/transfer"), "").await.status(), 200);

    assert_eq!(sim.post("/sim/characters/1/revoke", "").await.status(), 404);
    assert_eq!(sim.post("/sim/killmails", r#"{"character_ids":[1],"count":1}"#).await.status(), 404);
    assert_eq!(sim.post("/sim/killmails", "{}").await.status(), 400);
    let counters = sim.json("/sim/counters").await;
    assert_eq!(counters["requests"]["token"], 3);
    assert_eq!(counters["requests"]["unknown"], 0);
    assert_eq!(sim.post("/sim/counters/reset", "").await.status(), 204);
    assert_eq!(sim.json("/sim/counters").await["requests"]["token"], 0);
}

fn is_signed_by(key: &Value, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let components =
        RsaPublicKeyComponents { n: decode(key["n"].as_str().unwrap()), e: decode(key["e"].as_str().unwrap()) };
    components.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &decode(signature)).is_ok()
}

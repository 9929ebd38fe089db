//! `killfleet login`: a pilot signs in with a browser, which here is a client that follows redirects.

use std::os::unix::fs::PermissionsExt;

use reqwest::{Client, ClientBuilder, StatusCode};
use url::Url;

use crate::harness::{
    Ended, Fleet, On, Process, Running, TemporaryFolder, World, eventually, fleet, free_port, on_both,
};

on_both![
    a_pilot_who_signs_in_is_served,
    a_browser_is_opened_that_learns_nothing_but_the_address,
    a_native_application_needs_no_secret,
    what_is_no_login_is_told_to_the_pilot_and_to_the_operator_and_stores_nothing,
    an_answer_to_another_login_is_turned_away_and_the_login_goes_on,
    a_second_login_adds_a_stream_and_one_without_the_scope_is_named,
    an_address_may_be_pasted,
    who_does_not_come_is_not_waited_for,
    a_login_waits_for_a_slot_and_not_for_the_end_of_a_pause,
];

/// A login that waits for its pilot.
struct Login {
    running: Running,
    /// As it was printed.
    url: Url,
    browser: Client,
}

impl Login {
    async fn begin(process: Process<'_>) -> Self {
        let mut running = process.start();
        let url = Url::parse(&running.first_line().await).unwrap();
        Self { running, url, browser: browser().build().unwrap() }
    }

    fn query(&self, name: &str) -> String {
        let found = self.url.query_pairs().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.url)).1.into_owned()
    }

    /// The pilot chooses at EVE SSO, and the browser is sent back: the page that it shows at the end.
    async fn choose(&self, choice: &str) -> (StatusCode, String) {
        self.open(&format!("{}&{choice}", self.url)).await
    }

    /// The browser comes back with this, whoever has sent it.
    async fn come_back(&self, query: &str) -> (StatusCode, String) {
        self.open(&format!("{}?{query}", self.query("redirect_uri"))).await
    }

    async fn open(&self, url: &str) -> (StatusCode, String) {
        let response = self.browser.get(url).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn ended(self) -> Ended {
        self.running.ended().await
    }
}

fn browser() -> ClientBuilder {
    Client::builder().no_proxy().user_agent("a browser")
}

fn login<'fleet>(fleet: &'fleet Fleet<'_>, flags: &[&str]) -> Process<'fleet> {
    let port = free_port().to_string();
    fleet.killfleet(&[&["login", "--print-url", "--port", &port], flags].concat())
}

fn chosen(character_id: i64) -> String {
    format!("character_id={character_id}")
}

fn a_pilot_who_signs_in_is_served(on: On) {
    fleet(on, World::of(1, 4).nobody_signed_in(), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let login = Login::begin(login(fleet, &[])).await;
        assert_eq!(login.query("scope"), "esi-killmails.read_killmails.v1");
        assert!(!login.url.as_str().contains("code_challenge"), "{}", login.url);
        let (status, page) = login.choose(&chosen(pilot.character_id)).await;
        let said = format!("character {} ({}) is signed in", pilot.character_id, pilot.name);
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(&said), "{page}");
        let ended = login.ended().await.well();
        assert!(ended.stdout[1].starts_with(&said), "{:?}", ended.stdout);

        let rows: Vec<(i64, String, bool)> =
            fleet.database.rows(r#"select character_id, character_name, needs_login from "user""#).await;
        assert_eq!(rows, [(pilot.character_id, pilot.name, false)]);
        let tick = fleet.tick(&[]).await;
        assert_eq!((tick.queued_list, tick.queued_refresh), (1, 0), "its access token is good: {tick:?}");
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn a_browser_is_opened_that_learns_nothing_but_the_address(on: On) {
    fleet(on, World::of(1, 4).nobody_signed_in(), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        let folder = TemporaryFolder::new();
        let file = |name: &str| folder.path().join(name);
        let opener = file(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
        // What it writes is there at once and whole.
        let [environment, opened] = [file("environment"), file("opened")].map(|path| path.display().to_string());
        let script =
            format!("#!/bin/sh\nenv > {environment}\necho \"$@\" > {opened}.begun\nmv {opened}.begun {opened}\n");
        std::fs::write(&opener, script).unwrap();
        std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let port = free_port().to_string();
        let running = fleet.killfleet(&["login", "--port", &port]).set("PATH", path).set("IS_SEEN", "yes").start();
        eventually("the browser is opened", async || file("opened").exists()).await;

        let url = std::fs::read_to_string(&opened).unwrap();
        running.says(url.trim_end()).await;
        let environment = std::fs::read_to_string(&environment).unwrap();
        assert!(environment.contains("IS_SEEN=yes") && !environment.contains("KILLFLEET_"), "{environment}");
        let chosen = format!("{}&{}", url.trim_end(), chosen(id));
        let page = browser().build().unwrap().get(chosen).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let ended = running.ended().await.well();
        assert!(ended.stdout.len() == 1 && ended.stdout[0].contains("is signed in"), "{:?}", ended.stdout);
        assert_eq!(fleet.database.count("token_stream where state = 'active'").await, 1);
    });
}

fn a_native_application_needs_no_secret(on: On) {
    let world = World::of(1, 4).nobody_signed_in().setting("KILLFLEET_SSO_CLIENT_AUTH", "none");
    fleet(on, world.setting("KILLFLEET_CLIENT_SECRET", ""), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let login = Login::begin(login(fleet, &[])).await;
        assert_eq!(login.query("code_challenge_method"), "S256");
        let (status, page) = login.choose(&chosen(pilot.character_id)).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        login.ended().await.well();
        fleet.let_tokens_expire().await;
        assert_eq!(fleet.tick(&[]).await.queued_refresh, 1);
        fleet.drain().await;
        assert_eq!(fleet.simulator.counters().await.answers_with(401), 0);
        fleet.is_true().await;
    });
}

fn what_is_no_login_is_told_to_the_pilot_and_to_the_operator_and_stores_nothing(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        let before = fleet.database.contents().await;
        let assert_refused = async |login: Login, (status, page): (StatusCode, String), words: &str| {
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(page.contains(words) && page.contains("Not signed in"), "no {words:?} in {page}");
            let ended = login.ended().await.with_code(1);
            let line = ended.stderr.last().expect("it says why");
            assert!(line.contains(words) && line.contains("nothing was stored"), "no {words:?} in {line}");
            assert_eq!(fleet.database.contents().await, before, "{words}");
        };
        let quiet = || login(fleet, &[]).set("KILLFLEET_LOG", "error");

        let login = Login::begin(quiet()).await;
        let page = login.choose("deny=1").await;
        assert_refused(login, page, "access_denied").await;

        let login = Login::begin(quiet()).await;
        let page = login.come_back(&format!("code=nobody-gave-it&state={}", login.query("state"))).await;
        assert_refused(login, page, "EVE SSO refused the login: 400 invalid_grant").await;

        let login = Login::begin(quiet()).await;
        let page = login.come_back(&format!("state={}", login.query("state"))).await;
        assert_refused(login, page, "it holds no code").await;

        let login = Login::begin(quiet()).await;
        let without_scope = login.url.as_str().replace("scope=esi-killmails.read_killmails.v1", "scope=");
        let page = login.open(&format!("{without_scope}&{}", chosen(id))).await;
        assert_refused(login, page, "EVE SSO gave no refresh token").await;

        // Somebody else's application: a mistake of the settings.
        let login = Login::begin(quiet().set("KILLFLEET_CLIENT_SECRET", "wrong")).await;
        login.choose(&chosen(id)).await;
        let ended = login.ended().await.with_code(2);
        assert!(ended.stderr.last().unwrap().contains("401 invalid_client"), "{:?}", ended.stderr);
        assert_eq!(fleet.database.contents().await, before);
    });
}

fn an_answer_to_another_login_is_turned_away_and_the_login_goes_on(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        let login = Login::begin(login(fleet, &[])).await;
        for query in ["code=stolen&state=another", "code=stolen", "error=access_denied&state=another", ""] {
            let (status, page) = login.come_back(query).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(page.contains("does not belong to this login"), "{query}: {page}");
        }
        // What only looks ahead uses nothing up.
        let callback = format!("{}?code=x&state={}", login.query("redirect_uri"), login.query("state"));
        let looked = login.browser.head(&callback).send().await.unwrap();
        assert_eq!(looked.status(), StatusCode::METHOD_NOT_ALLOWED);
        let (status, _) = login.choose(&chosen(id)).await;
        assert_eq!(status, StatusCode::OK);
        login.ended().await.well();
        assert_eq!(fleet.database.count("token_stream").await, 1);
    });
}

fn a_second_login_adds_a_stream_and_one_without_the_scope_is_named(on: On) {
    fleet(on, World::of(1, 4), async |fleet: &Fleet| {
        let pilot = fleet.simulator.pilots().await.remove(0);
        let stored = "select refresh_token_sealed from token_stream where token_stream_id = 1";
        let first: Vec<u8> = fleet.database.value(stored).await;
        let scopes = ["--scope", "publicData", "--scope", "esi-killmails.read_corporation_killmails.v1"];
        let both = Login::begin(login(fleet, &scopes)).await;
        assert_eq!(
            both.query("scope"),
            "esi-killmails.read_corporation_killmails.v1 esi-killmails.read_killmails.v1 publicData"
        );
        both.choose(&chosen(pilot.character_id)).await;
        both.ended().await.well();
        assert_eq!(fleet.database.value::<Vec<u8>>(stored).await, first, "the first login is as it was");

        let lacking = Login::begin(login(fleet, &[])).await;
        let url = lacking.url.as_str().replace("scope=esi-killmails.read_killmails.v1", "scope=publicData");
        let (status, page) = lacking.open(&format!("{url}&{}", chosen(pilot.character_id))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let ended = lacking.ended().await.with_code(1);
        let words = "does not hold the scope esi-killmails.read_killmails.v1";
        assert!(page.contains(words) && ended.stderr.last().unwrap().contains(words), "{page}");
        assert_eq!(fleet.database.count("token_stream where state = 'active'").await, 3);
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn an_address_may_be_pasted(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        let mut login = Login::begin(login(fleet, &[]).typed_to()).await;
        // The browser of another machine: it is sent to an address that leads nowhere there.
        let browser = browser().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let sent_back = browser.get(format!("{}&{}", login.url, chosen(id))).send().await.unwrap();
        let address = sent_back.headers()["location"].to_str().unwrap().to_owned();
        login.running.type_line("http://127.0.0.1/callback?code=x&state=another");
        login.running.says("does not belong to this login").await;
        login.running.type_line(&address);
        let ended = login.ended().await.well();
        assert!(ended.stdout[1].contains("is signed in"), "{:?}", ended.stdout);
        assert_eq!(fleet.database.count("token_stream").await, 1);
    });
}

fn who_does_not_come_is_not_waited_for(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let ended = login(fleet, &["--wait", "1s"]).run().await.with_code(1);
        assert!(ended.stderr.last().unwrap().contains("nobody signed in within 1s"), "{:?}", ended.stderr);

        let waiting = Login::begin(login(fleet, &[])).await;
        let port = Url::parse(&waiting.query("redirect_uri")).unwrap().port().unwrap().to_string();
        let taken = fleet.killfleet(&["login", "--print-url", "--port", &port]).set("KILLFLEET_LOG", "error");
        let ended = taken.run().await.with_code(2);
        assert!(ended.stderr[0].starts_with(&format!("killfleet: --port {port} cannot be listened on")), "{ended:?}");
        waiting.running.signal("INT");
        let ended = waiting.ended().await.with_code(1);
        assert!(ended.stderr.last().unwrap().contains("stopped before anybody had signed in"), "{:?}", ended.stderr);
        assert_eq!(fleet.database.count("character").await, 0);
    });
}

fn a_login_waits_for_a_slot_and_not_for_the_end_of_a_pause(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let id = fleet.simulator.pilots().await[0].character_id;
        fleet.database.execute("update sso_slot set lease_until = now() + interval '1 hour'").await;
        let pause =
            "insert into fleet_pause (scope, reason, until) values ('sso', 'a test', now() + interval '1 hour')";
        fleet.database.execute(pause).await;
        let login = Login::begin(login(fleet, &[])).await;
        let choice = chosen(id);
        let slots_come_free = async {
            login.running.says("this login waits for one to end").await;
            assert_eq!(fleet.simulator.counters().await.requests_to("token"), 0, "there is no slot for a call");
            fleet.database.execute("update sso_slot set lease_until = now() - interval '1 second'").await;
        };
        let ((status, page), ()) = tokio::join!(login.choose(&choice), slots_come_free);
        assert_eq!(status, StatusCode::OK, "{page}");
        login.ended().await.well();
        assert_eq!(fleet.database.count("token_stream where state = 'active'").await, 1);
        assert_eq!(fleet.database.count("sso_slot where lease_until > now()").await, 0, "it was given back");
    });
}

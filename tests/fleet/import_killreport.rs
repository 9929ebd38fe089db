//! `killfleet import killreport`: the logins of a KillReport come over, each once, and none is refreshed by it.

use reqwest::Client;
use serde_json::Value;

use crate::harness::{CLIENT_SECRET, Fleet, On, Process, TemporaryFolder, World, fleet};

/// KillReport's table, with the liberties that an operator may have taken.
const TABLE: &str = r#"create table users ("id" serial primary key, "character_id" integer, "character_name" text,
    "character_owner_hash" text, "access_token" text, "refresh_token" text, "expires_at" timestamp(3),
    "email" text, "created_at" timestamp(3) not null default current_timestamp)"#;

/// An access token, as KillReport has got it for itself.
async fn access_token(fleet: &Fleet<'_>, refresh_token: &str) -> String {
    let browser = Client::builder().no_proxy().user_agent("KillReport").build().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    let request = browser.post(format!("{}/v2/oauth/token", fleet.simulator.url));
    let answer = request.basic_auth("sim-client", Some(CLIENT_SECRET)).form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().expect("it is granted").to_owned()
}

async fn add_user(fleet: &Fleet<'_>, character_id: &str, access_token: &str, refresh_token: &str, minutes: i32) {
    let sql = format!(
        "insert into users (character_id, character_name, character_owner_hash, access_token, refresh_token, expires_at)
         values ({character_id}, 'User {character_id}', 'owner', '{access_token}', '{refresh_token}',
                 now() at time zone 'utc' + interval '{minutes} minutes')"
    );
    fleet.database.execute(&sql).await;
}

fn counts(stdout: &[String]) -> (Value, [i64; 7]) {
    assert_eq!(stdout.len(), 1, "{stdout:?}");
    let report: Value = serde_json::from_str(&stdout[0]).unwrap();
    let names = ["rows", "added", "with_access_token", "already_stored", "may_be_replaced", "without_refresh_token"];
    let [rows, added, with_access_token, stored, replaced, without] =
        names.map(|name| report[name].as_i64().expect("a number"));
    let refused = report["refused"].as_array().unwrap().len();
    (report, [rows, added, with_access_token, stored, replaced, without, i64::try_from(refused).unwrap()])
}

#[test]
fn every_row_is_taken_over_once_or_refused_with_its_reason() {
    fleet(On::Services, World::of(4, 12).nobody_signed_in(), async |fleet: &Fleet| {
        let pilots = fleet.simulator.pilots().await;
        let token = |pilot: usize| pilots[pilot].refresh_token.clone().expect("a new pilot has a token");
        let id = |pilot: usize| pilots[pilot].character_id.to_string();
        let good = access_token(fleet, &token(0)).await;
        fleet.database.execute(TABLE).await;
        add_user(fleet, &id(0), &good, &token(0), 15).await;
        add_user(fleet, &id(1), "what.it.was", &token(1), -600).await;
        add_user(fleet, &id(1), "", &token(1), -600).await;
        add_user(fleet, &id(1), "", &fleet.simulator.login(pilots[1].character_id).await, -600).await;
        add_user(fleet, &id(2), "", "", -600).await;
        add_user(fleet, "null", "", "a-token-of-nobody", -600).await;
        add_user(fleet, "0", "", "a-token-of-nobody", -600).await;
        add_user(fleet, &id(3), &good, &token(3), 15).await;
        add_user(fleet, &id(3), "", "two words", 15).await;
        let before = fleet.database.contents().await;
        fleet.simulator.reset_counters().await;

        let command = ["import", "killreport", "--json", "--from", fleet.database.url()];
        let import = |flags: &[&str]| fleet.killfleet(&[&command, flags].concat()).set("KILLFLEET_LOG", "error");
        let tried = import(&["--dry-run"]).run().await.with_code(1);
        let (report, tried) = counts(&tried.stdout);
        assert_eq!((&report["is_dry_run"], tried), (&true.into(), [9, 3, 1, 1, 0, 1, 4]));
        assert_eq!(fleet.database.contents().await, before, "a dry run writes nothing");

        let (report, done) = counts(&import(&[]).run().await.with_code(1).stdout);
        assert_eq!(done, [9, 3, 1, 1, 0, 1, 4]);
        let reasons: Vec<_> = report["refused"].as_array().unwrap().iter().map(|row| row["reason"].clone()).collect();
        let belongs = format!("its access_token belongs to character {}", id(0));
        for (reason, words) in
            reasons.iter().zip(["it has no character_id", "its character_id", &belongs, "with a space"])
        {
            assert!(reason.as_str().unwrap().contains(words), "no {words:?} in {reason}");
        }
        let again = import(&[]).run().await.with_code(1);
        assert_eq!(counts(&again.stdout).1, [9, 0, 0, 4, 0, 1, 4]);
        let as_table =
            fleet.killfleet(&["import", "killreport", "--from", fleet.database.url()]).run().await.with_code(1);
        assert!(
            as_table.stdout.iter().any(|line| line.starts_with("refused: row 6, character null: ")),
            "{as_table:?}"
        );
        assert_eq!(fleet.simulator.counters().await.requests_to("token"), 0);

        // Into a file as well as into a server.
        let folder = TemporaryFolder::new();
        let url = format!("sqlite:{}", folder.path().join("one.db").display());
        let on_file = async |process: Process<'_>| process.set("KILLFLEET_DATABASE_URL", &*url).run().await;
        on_file(fleet.killfleet(&["migrate"])).await.well();
        assert_eq!(counts(&on_file(import(&[])).await.with_code(1).stdout).1, [9, 3, 1, 1, 0, 1, 4]);

        // Tokens of another application are of no use, and it says so where it can tell.
        let other = import(&["--dry-run"]).set("KILLFLEET_CLIENT_ID", "another").run().await.with_code(1);
        let (report, _) = counts(&other.stdout);
        let reason = report["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("issued to another application: KILLFLEET_CLIENT_ID must be"), "{reason}");

        for pilot in [2, 3] {
            fleet.add(pilots[pilot].character_id, &token(pilot)).run().await.well();
        }
        fleet.simulator.reset_counters().await;
        fleet.make_due().await;
        let tick = fleet.tick(&[]).await;
        assert_eq!((tick.queued_list, tick.queued_refresh), (3, 1), "{tick:?}");
        fleet.drain().await;
        fleet.is_true().await;
    });
}

#[test]
fn what_is_no_killreport_is_a_mistake_of_the_command_line() {
    fleet(On::Services, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        for (from, words) in [
            ("killreport", "--from is not a postgres:// URL"),
            ("sqlite:killreport.db", "--from names a file"),
            (fleet.database.url(), "--from: it holds no table \"users\" with refresh tokens"),
        ] {
            let import = fleet.killfleet(&["import", "killreport", "--from", from]).set("KILLFLEET_LOG", "error");
            let ended = import.run().await.with_code(2);
            assert!(ended.stderr.len() == 1 && ended.stderr[0].contains(words), "{:?}", ended.stderr);
        }
    });
}

//! Where its file is, who may read it, and who says what about a file or a server in the wrong place.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Fleet, On, Process, TemporaryFolder, World, fleet};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn without_a_setting_the_file_lies_among_the_users_data_and_every_command_finds_it() {
    fleet(On::Standalone, World::of(2, 6).nobody_signed_in(), async |fleet: &Fleet| {
        let home = TemporaryFolder::new();
        let at_home = async |process: Process<'_>| {
            let data = home.path().to_str().unwrap();
            process.unset("KILLFLEET_DATABASE_URL").unset("KILLFLEET_LOG").set("XDG_DATA_HOME", data).run().await
        };
        let file = home.path().join("killfleet/killfleet.db");
        for command in [&["status"][..], &["character", "list"], &["character", "add", "--character-id=1", "--name=A"]]
        {
            let refused = at_home(fleet.killfleet(command)).await.with_code(2);
            let begin =
                format!("killfleet: KILLFLEET_DATABASE_URL is not set, and there is no database at {}", file.display());
            assert!(refused.stderr.len() == 1 && refused.stderr[0].starts_with(&begin), "{:?}", refused.stderr);
            assert!(refused.stderr[0].contains("`killfleet standalone` and `killfleet migrate` create it"));
        }
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was created");

        at_home(fleet.standalone(&["--drain"])).await.well();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        for pilot in fleet.simulator.pilots().await {
            at_home(fleet.add(pilot.character_id, &pilot.refresh_token.unwrap())).await.well();
        }
        at_home(fleet.standalone(&["--drain"])).await.well();
        for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        let status = at_home(fleet.killfleet(&["status", "--json"])).await.well();
        let status: Value = serde_json::from_str(&status.stdout.concat()).unwrap();
        assert_eq!((status["characters"].as_i64(), status["killmails_stored"].as_i64()), (Some(2), Some(6)));
        assert_eq!(at_home(fleet.killfleet(&["migrate"])).await.well().stdout, ["the database is up to date"]);
        assert_eq!(fleet.database.count("character").await, 0, "the other file was not touched");
    });
}

#[test]
fn a_file_that_is_not_there_is_created_by_those_who_say_so_and_by_nobody_else() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let file = folder.path().join("deeper/fleet.db");
        let url = format!("sqlite:{}", file.display());
        let on_it = async |process: Process<'_>| {
            process.set("KILLFLEET_DATABASE_URL", &*url).unset("KILLFLEET_LOG").run().await
        };
        for refused in [
            on_it(fleet.killfleet(&["status"])).await.with_code(2),
            on_it(fleet.killfleet(&["character", "list"])).await.with_code(2),
            on_it(fleet.add(90_000_001, "no-token-of-anybody")).await.with_code(2),
        ] {
            let begin = format!("killfleet: KILLFLEET_DATABASE_URL names {}, which does not exist", file.display());
            assert!(refused.stderr.len() == 1 && refused.stderr[0].starts_with(&begin), "{:?}", refused.stderr);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was created");
        on_it(fleet.killfleet(&["migrate"])).await.well();
        assert_eq!(mode(&file), 0o600);
        on_it(fleet.killfleet(&["status"])).await.well();
    });
}

#[test]
fn each_program_says_where_the_other_kind_of_database_belongs() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let amqp = "amqp://guest:guest@127.0.0.1/%2f";
        let before = fleet.database.contents().await;
        for (process, words) in [
            (fleet.scheduler(&[]).set("KILLFLEET_AMQP_URL", amqp), "run `killfleet standalone` on it"),
            (fleet.worker(&["--drain"]).set("KILLFLEET_AMQP_URL", amqp), "run `killfleet standalone` on it"),
            (
                fleet.standalone(&["--drain"]).set("KILLFLEET_DATABASE_URL", "postgres://somebody:hush@127.0.0.1/x"),
                "run killfleet-scheduler and killfleet-worker there",
            ),
        ] {
            let refused = process.unset("KILLFLEET_LOG_FORMAT").run().await.with_code(2);
            let line = &refused.stderr[0];
            assert!(
                refused.stderr.len() == 1 && line.contains(words) && !line.contains("hush"),
                "{:?}",
                refused.stderr
            );
        }
        assert_eq!(fleet.database.contents().await, before);
    });
}

#[test]
fn a_place_where_no_file_can_be_is_a_mistake_of_the_settings() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let occupied = folder.path().join("occupied");
        std::fs::write(&occupied, "").unwrap();
        // Below a file there are no files, and where a folder is there is no lock.
        let nowhere = occupied.join("killfleet.db");
        std::fs::create_dir(folder.path().join("other.db.lock")).unwrap();
        for file in [nowhere, folder.path().join("other.db")] {
            let url = format!("sqlite:{}", file.display());
            let ended = fleet.standalone(&["--drain"]).set("KILLFLEET_DATABASE_URL", &*url).run().await.with_code(2);
            let line = ended.stderr.concat();
            assert!(line.contains("check the path in KILLFLEET_DATABASE_URL"), "{line}");
        }
    });
}

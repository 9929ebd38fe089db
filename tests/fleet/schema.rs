//! A database at another version than the program's: nobody starts, and everybody says which migration it is.

use crate::harness::{Ended, Fleet, On, World, fleet, on_both};

on_both![
    a_database_that_is_not_migrated_is_refused_and_migrating_twice_is_harmless,
    a_database_that_a_newer_program_has_migrated_is_refused,
];

/// What every process says that does not migrate its database by itself, as standalone does.
async fn refusals(fleet: &Fleet<'_>, on: On) -> Vec<Ended> {
    let mut refused =
        vec![fleet.killfleet(&["status"]).run().await, fleet.add(90_000_001, "no-token-of-anybody").run().await];
    if on == On::Services {
        refused.push(fleet.scheduler(&[]).run().await);
        refused.push(fleet.worker(&["--drain"]).run().await);
    }
    refused
}

fn a_database_that_is_not_migrated_is_refused_and_migrating_twice_is_harmless(on: On) {
    fleet(on, World::of(2, 6).not_migrated(), async |fleet: &Fleet| {
        for ended in refusals(fleet, on).await {
            let ended = ended.with_code(2);
            let line = ended.stderr.last().expect("it says why");
            assert!(line.contains("lacks migration 1") && line.contains("killfleet migrate"), "{line}");
        }
        let migrate = async || fleet.killfleet(&["migrate"]).run().await.well().stdout;
        assert!(migrate().await[0].contains("applied"));
        let migrated = fleet.database.contents().await;
        assert_eq!(migrate().await, ["the database is up to date"]);
        assert_eq!(fleet.database.contents().await, migrated);

        fleet.sign_everybody_in().await;
        fleet.tick(&[]).await;
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn a_database_that_a_newer_program_has_migrated_is_refused(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        fleet
            .database
            .execute(
                "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'from the future', true, '\\x00'::bytea, 0)",
            )
            .await;
        let mut refused = refusals(fleet, on).await;
        if on == On::Standalone {
            refused.push(fleet.standalone(&["--drain"]).run().await);
        }
        for ended in refused {
            let ended = ended.with_code(2);
            let line = ended.stderr.last().expect("it says why");
            assert!(line.contains("has migration 9999") && line.contains("does not know"), "{line}");
        }
    });
}

//! A database at another version than the program's: nobody starts, and everybody says which migration it is.

use crate::harness::{Ended, Fleet, World, fleet};

async fn refusals(fleet: &Fleet<'_>) -> [Ended; 4] {
    [
        fleet.killfleet(&["status"]).run().await,
        fleet.add(90_000_001, "no-token-of-anybody").run().await,
        fleet.scheduler(&[]).run().await,
        fleet.worker(&["--drain"]).run().await,
    ]
}

#[test]
fn a_database_that_is_not_migrated_is_refused_and_migrating_twice_is_harmless() {
    fleet(World::of(2, 6).not_migrated(), async |fleet: &Fleet| {
        for ended in refusals(fleet).await {
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

#[test]
fn a_database_that_a_newer_program_has_migrated_is_refused() {
    fleet(World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        fleet
            .database
            .execute(
                "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'from the future', true, '\\x00', 0)",
            )
            .await;
        for ended in refusals(fleet).await {
            let ended = ended.with_code(2);
            let line = ended.stderr.last().expect("it says why");
            assert!(line.contains("has migration 9999") && line.contains("does not know"), "{line}");
        }
    });
}

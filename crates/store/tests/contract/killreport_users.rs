//! KillReport's table of users, as its migrations and its operators have made it.

use secrecy::{ExposeSecret, SecretString};
use store::killreport::{self, KillReportError, KillReportUser};

use crate::harness::{Database, contract};

contract![
    postgres: its_tables_of_all_times_are_read,
    odd_rows_are_read_as_they_are,
    what_is_not_its_database_is_said,
];

/// The columns that it has had from the beginning (migration 20251029111123).
const COLUMNS: &str = r#""id" serial not null, "character_id" integer not null, "character_name" text not null,
    "character_owner_hash" text not null, "access_token" text not null, "refresh_token" text,
    "expires_at" timestamp(3) not null, "email" text, "created_at" timestamp(3) not null default current_timestamp,
    "updated_at" timestamp(3) not null default current_timestamp"#;

const ROW: &str = "(character_id, character_name, character_owner_hash, access_token, refresh_token, expires_at)
    values (2112000718, 'Jessamy Farstrider', 'owner=', 'a.b.c', 'to+k/en==', '2026-11-20 12:00:00.123')";

async fn users(database: &Database) -> Result<Vec<KillReportUser>, KillReportError> {
    killreport::users(&database.owner_url, "killfleet-contract").await
}

fn open(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(ExposeSecret::expose_secret)
}

async fn its_tables_of_all_times_are_read(database: Database) {
    let versions = [
        // Before 2025-10-29.
        (r#""User""#, COLUMNS.to_owned(), "2026-11-20T12:00:00.123Z"),
        ("users", COLUMNS.to_owned(), "2026-11-20T12:00:00.123Z"),
        // 2025-12-25 and 2025-12-26.
        (
            "users",
            format!(
                "{COLUMNS}, last_killmail_id integer, last_killmail_sync_at timestamp(3), corporation_id integer,
                 last_corp_killmail_id integer, last_corp_killmail_sync_at timestamp(3)"
            ),
            "2026-11-20T12:00:00.123Z",
        ),
        // As operators change it.
        (
            "users",
            COLUMNS.replace("integer not null", "bigint").replace("timestamp(3)", "timestamptz"),
            "2026-11-20T12:00:00.123Z",
        ),
    ];
    for (table, columns, expires_at) in versions {
        database.run(format!("create table {table} ({columns})")).await;
        database.run(format!("insert into {table} {ROW}")).await;
        let found = users(&database).await.unwrap();
        assert_eq!(found.len(), 1, "{columns}");
        let user = &found[0];
        assert_eq!((user.row.as_deref(), user.character_id.as_deref()), (Some("1"), Some("2112000718")));
        assert_eq!(user.character_name.as_deref(), Some("Jessamy Farstrider"));
        assert_eq!((open(&user.access_token), open(&user.refresh_token)), (Some("a.b.c"), Some("to+k/en==")));
        assert_eq!(user.expires_at, Some(expires_at.parse().unwrap()), "{columns}");
        assert!(!format!("{user:?}").contains("to+k"), "no token is printed");
        database.run(format!("drop table {table}")).await;
    }
}

async fn odd_rows_are_read_as_they_are(database: Database) {
    database.run("create table users (id integer, character_id text, access_token text, refresh_token text)").await;
    database
        .run(
            "insert into users values (1, '7', 'a', 'first'), (2, '7', null, ' second '), (3, null, '', ''),
             (null, 'seven', '  ', null)",
        )
        .await;
    let found = users(&database).await.unwrap();
    let seen: Vec<_> = found
        .iter()
        .map(|user| {
            (user.row.as_deref(), user.character_id.as_deref(), open(&user.access_token), open(&user.refresh_token))
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some("1"), Some("7"), Some("a"), Some("first")),
            (Some("2"), Some("7"), None, Some("second")),
            (Some("3"), None, None, None),
            (None, Some("seven"), None, None),
        ]
    );
    assert!(found.iter().all(|user| user.character_name.is_none() && user.expires_at.is_none()));
}

async fn what_is_not_its_database_is_said(database: Database) {
    assert!(matches!(users(&database).await, Err(KillReportError::NoTable)));
    // Somebody's table of that name, without tokens.
    database.run("create table users (id integer, name text)").await;
    assert!(matches!(users(&database).await, Err(KillReportError::NoTable)));
}

//! What each of the two roles may do in PostgreSQL. Every other test of the contract runs as `killfleet_app`: that it may
//! do its work is what the whole suite proves; here stands what it may not.

use std::collections::BTreeSet;
use std::str::FromStr;

use domain::FailureClass;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use store::Store;

use crate::harness::postgres::as_role;
use crate::harness::{Database, contract};

contract![
    // A file has no users.
    postgres:
    the_operator_reads_every_view_and_nothing_else,
    the_fleet_changes_no_schema_takes_away_no_killmail_and_rewrites_no_history,
    whatever_is_there_is_granted,
    migrating_is_the_owners,
    an_owner_who_may_not_create_roles_migrates_all_the_same,
];

const GRANTS: &str = include_str!("../../../../migrations/postgres/grants.sql");
const INSUFFICIENT_PRIVILEGE: &str = "42501";

async fn connect(url: &SecretString) -> PgConnection {
    PgConnectOptions::from_str(url.expose_secret()).unwrap().connect().await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// Fails because there is no right to it, and for no other reason.
async fn is_refused(connection: &mut PgConnection, sql: String) {
    let error = run(connection, sql.clone()).await.expect_err(&sql);
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{sql}: {error}");
}

async fn views(database: &Database) -> BTreeSet<String> {
    let columns = database.columns_of_views().await;
    columns.iter().map(|column| column["view"].as_str().unwrap().to_owned()).collect()
}

async fn the_operator_reads_every_view_and_nothing_else(database: Database) {
    let (stream, views, tables) = (database.login(1, "one").await, views(&database).await, database.tables().await);
    let mut operator = connect(&as_role(&database.owner_url, "killfleet_operator")).await;
    assert!(views.len() >= 9 && tables.len() >= 18, "{views:?} {tables:?}");
    for view in views {
        run(&mut operator, format!(r#"select * from "{view}""#)).await.unwrap();
    }
    let seen: i64 = sqlx::query_scalar("select count(*) from token_health where token_stream_id = $1")
        .bind(stream.get())
        .fetch_one(&mut operator)
        .await
        .unwrap();
    assert_eq!(seen, 1, "a view runs with its owner's rights");
    for table in tables {
        for statement in ["select from", "delete from", "truncate", "insert into"] {
            let values = if statement == "insert into" { "default values" } else { "" };
            is_refused(&mut operator, format!("{statement} {table} {values}")).await;
        }
    }
    for sql in [
        "select refresh_token_sealed from token_stream",
        "update token_stream set state = 'dead'",
        "copy token_stream to stdout",
        "create table of_mine (id bigint)",
        "create view of_mine as select * from token_stream",
    ] {
        is_refused(&mut operator, sql.to_owned()).await;
    }
    operator.close().await.unwrap();
}

async fn the_fleet_changes_no_schema_takes_away_no_killmail_and_rewrites_no_history(database: Database) {
    let mut fleet = connect(&database.url).await;
    for sql in [
        "create table of_mine (id bigint)",
        "drop view token_health",
        "alter table killmail drop column body",
        "delete from killmail",
        "delete from killmail_participant",
        "delete from killmail_ref",
        "update token_event set event = 'granted'",
        "update operator_action set operator = 'nobody'",
        "delete from operator_action",
        "truncate token_stream",
        "delete from _sqlx_migrations",
        "update _sqlx_migrations set success = false",
        "create role of_mine",
        "alter role killfleet_operator login",
    ] {
        is_refused(&mut fleet, sql.to_owned()).await;
    }
    fleet.close().await.unwrap();
}

/// Whoever adds a table or a view says in `grants.sql` what may be done with it.
async fn whatever_is_there_is_granted(database: Database) {
    for name in database.tables().await {
        assert!(
            database.holds(format!("select has_table_privilege('killfleet_app', '{name}', 'select')")).await,
            "{name}"
        );
        let operator = format!("select has_table_privilege('killfleet_operator', '{name}', 'select')");
        assert!(!database.holds(operator).await, "{name}");
    }
    for name in views(&database).await {
        for role in ["killfleet_app", "killfleet_operator"] {
            let may = format!(r#"select has_table_privilege('{role}', '"{name}"', 'select')"#);
            assert!(database.holds(may).await, "{role} may not read {name}");
        }
    }
}

async fn migrating_is_the_owners(database: Database) {
    let fleet = Store::connect(&database.url, "killfleet-contract", 1).await.unwrap();
    let error = fleet.migrate().await.expect_err("it may create nothing");
    assert_eq!(error.class(), FailureClass::Configuration);
    let reason = error.failure().reason;
    assert!(reason.contains("the owner of the tables"), "{reason}");
    fleet.close().await;
}

/// As on a managed server. The roles of this server are there already, so the script is given names that are not. Nothing
/// of it is kept: users belong to the whole server.
async fn an_owner_who_may_not_create_roles_migrates_all_the_same(database: Database) {
    let mut session = connect(&database.owner_url).await;
    let mut transaction = session.begin().await.unwrap();
    let mark: String = sqlx::query_scalar("select md5(current_database())").fetch_one(&mut *transaction).await.unwrap();
    let owner = format!("killfleet_owner_{mark}");
    let made_his = database.tables().await.into_iter().map(|name| format!("alter table {name} owner to {owner}"));
    let views = views(&database).await;
    let made_his = made_his.chain(views.iter().map(|name| format!(r#"alter view "{name}" owner to {owner}"#)));
    let schema = format!("create role {owner}; grant all on schema public to {owner} with grant option");
    for sql in [schema].into_iter().chain(made_his).chain([format!("set role {owner}")]) {
        run(&mut transaction, sql).await.unwrap();
    }
    // Roles that are not there, and that he may not create: it goes on without them.
    run(&mut transaction, GRANTS.replace("killfleet_", &format!("killfleet_{mark}_"))).await.unwrap();
    let made = "select count(*) from pg_roles where rolname like $1";
    let made: i64 =
        sqlx::query_scalar(made).bind(format!("killfleet\\_{mark}%")).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(made, 0);
    // Roles that are there: their rights to his tables are his to grant.
    run(&mut transaction, GRANTS.to_owned()).await.unwrap();
    transaction.rollback().await.unwrap();
}

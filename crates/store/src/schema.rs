//! The schema's version: the migrations are embedded, and a process refuses a database at another version.

mod postgres;
mod sqlite;

use sqlx::migrate::Migrator;
use thiserror::Error;

use crate::{Face, Store, StoreError};

/// The database is not at the version that this build was made for.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaMismatch {
    #[error(
        "the file in KILLFLEET_DATABASE_URL holds the tables of another program, and none of killfleet: give killfleet a \
         file of its own"
    )]
    Foreign,
    #[error("the database lacks migration {version} ({description}): run `killfleet migrate`")]
    Missing { version: i64, description: String },
    #[error(
        "migration {version} was interrupted: look at the table _sqlx_migrations, mend the schema, then run `killfleet migrate`"
    )]
    Interrupted { version: i64 },
    #[error(
        "the database has migration {version}, which this build does not know: use the build that applied it, or a newer one"
    )]
    Newer { version: i64 },
    #[error(
        "migration {version} ({description}) was applied with another text than this build's: use the build that applied it"
    )]
    Changed { version: i64, description: String },
}

impl Store {
    /// Brings the schema to this build's version; returns how many migrations were applied.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a database that a newer build has migrated, [`StoreError::Migrate`] otherwise.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        match &self.face {
            Face::Postgres(pool) => postgres::migrate(pool).await,
            Face::Sqlite(file) => sqlite::migrate(&file.writer).await,
        }
    }

    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let (migrator, applied) = match &self.face {
            Face::Postgres(pool) => (&postgres::MIGRATOR, postgres::read_applied(pool).await),
            Face::Sqlite(file) => (&sqlite::MIGRATOR, sqlite::read_applied(&file.readers).await),
        };
        Ok(compare(migrator, &applied.map_err(StoreError::during(READING))?)?)
    }
}

const READING: &str = "reading the version of the schema";
const MIGRATING: &str = "migrating the database";
const GRANTING: &str = "granting the roles their rights";

/// A migration that was begun.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Applied {
    version: i64,
    success: bool,
    checksum: Vec<u8>,
}

/// A schema that lacks something is what migrating is for.
fn may_migrate(migrator: &Migrator, applied: &[Applied]) -> Result<(), SchemaMismatch> {
    match compare(migrator, applied) {
        Ok(()) | Err(SchemaMismatch::Missing { .. }) => Ok(()),
        Err(mismatch) => Err(mismatch),
    }
}

fn compare(migrator: &Migrator, applied: &[Applied]) -> Result<(), SchemaMismatch> {
    if let Some(interrupted) = applied.iter().find(|applied| !applied.success) {
        return Err(SchemaMismatch::Interrupted { version: interrupted.version });
    }
    if let Some(newer) = applied.iter().find(|applied| !migrator.version_exists(applied.version)) {
        return Err(SchemaMismatch::Newer { version: newer.version });
    }
    for migration in migrator.iter() {
        let (version, description) = (migration.version, migration.description.to_string());
        match applied.iter().find(|applied| applied.version == version) {
            None => return Err(SchemaMismatch::Missing { version, description }),
            Some(applied) if applied.checksum[..] != migration.checksum[..] => {
                return Err(SchemaMismatch::Changed { version, description });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_version_is_named() {
        for migrator in [&postgres::MIGRATOR, &sqlite::MIGRATOR] {
            let all: Vec<_> = migrator
                .iter()
                .map(|migration| Applied {
                    version: migration.version,
                    success: true,
                    checksum: migration.checksum.to_vec(),
                })
                .collect();
            assert_eq!(compare(migrator, &all), Ok(()));

            let missing = compare(migrator, &all[..1]).unwrap_err();
            assert_eq!(missing.to_string(), "the database lacks migration 2 (views): run `killfleet migrate`");

            let mut newer = all.clone();
            newer.push(Applied { version: 9999, success: true, checksum: vec![] });
            assert_eq!(compare(migrator, &newer), Err(SchemaMismatch::Newer { version: 9999 }));

            let mut interrupted = all.clone();
            interrupted[1].success = false;
            assert_eq!(compare(migrator, &interrupted), Err(SchemaMismatch::Interrupted { version: 2 }));

            let mut changed = all;
            changed[0].checksum = vec![0];
            assert!(matches!(compare(migrator, &changed), Err(SchemaMismatch::Changed { version: 1, .. })));
        }
    }
}

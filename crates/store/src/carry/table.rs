//! One table on its way: what every table has to say of itself, and what is done with each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::ControlFlow;

use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use sqlx_sqlite::SqliteConnection;

use super::ends::{Ends, in_destination};
use super::{CarriedTable, CarryError, Phase, Progress, Watch};
use crate::StoreError;

/// More keys than this help nobody to find out what is wrong.
const KEYS_TOLD_MAX: usize = 5;

/// What a table has to say of itself. Its `Row` holds all that is carried of a row: no hints, and no leases but those of
/// token streams.
pub(super) trait Table {
    const NAME: &'static str;
    type Row: PartialEq;
    /// Of its primary key.
    type Key: Ord + Clone + Debug;

    fn key(row: &Self::Row) -> Self::Key;

    /// Rows of the file in the order of their keys, from behind the given one on.
    async fn page(
        &self,
        source: &mut SqliteConnection,
        after: Option<&Self::Key>,
        rows_max: i64,
    ) -> Result<Vec<Self::Row>, CarryError>;

    /// As it is to stand in the destination; none if it is not to stand there.
    fn expected(&self, row: Self::Row) -> Option<Self::Row> {
        Some(row)
    }

    /// Those rows of the destination that have the keys of the given ones; others may be among them.
    async fn there(&self, destination: &mut PgConnection, rows: &[Self::Row]) -> Result<Vec<Self::Row>, CarryError>;

    /// The keys of [`Table::there`].
    async fn keys_there(
        &self,
        destination: &mut PgConnection,
        rows: &[Self::Row],
    ) -> Result<BTreeSet<Self::Key>, CarryError> {
        Ok(self.there(destination, rows).await?.iter().map(Self::key).collect())
    }

    /// Adds rows to the destination, but for those whose keys are there; tells how many it has added.
    async fn insert(&self, destination: &mut PgConnection, rows: &[Self::Row]) -> sqlx::Result<u64>;

    /// Adds rows all at once or not at all.
    async fn add(&mut self, destination: &PgPool, rows: &[Self::Row]) -> Result<u64, StoreError> {
        insert_at_once(self, destination, rows).await.map_err(in_destination)
    }
}

pub(super) async fn insert_at_once<T: Table + ?Sized>(
    table: &T,
    destination: &PgPool,
    rows: &[T::Row],
) -> sqlx::Result<u64> {
    let mut transaction = destination.begin().await?;
    let added = table.insert(&mut transaction, rows).await?;
    transaction.commit().await?;
    Ok(added)
}

pub(super) struct Carrier<'a, 'watch> {
    pub(super) ends: &'a Ends<'a>,
    pub(super) batch_rows: i64,
    pub(super) watch: &'a mut Watch<'watch>,
}

impl Carrier<'_, '_> {
    /// Carries what is missing of a table, then compares all of it.
    pub(super) async fn take<T: Table>(&mut self, table: &mut T) -> Result<CarriedTable, CarryError> {
        let (of, _) = self.ends.counts(T::NAME).await?;
        let carried = self.carry(table, of).await?;
        let differing = self.compare(table, of).await?;
        let (in_source, in_destination) = self.ends.counts(T::NAME).await?;
        let differing_keys = differing.first_keys;
        Ok(CarriedTable {
            table: T::NAME,
            carried,
            in_source,
            in_destination,
            differing: differing.rows,
            differing_keys,
        })
    }

    async fn carry<T: Table>(&mut self, table: &mut T, of: u64) -> Result<u64, CarryError> {
        let mut pages = Pages::new(Phase::Carrying, of);
        let mut carried = 0;
        while let Some(mut rows) = pages.next(self, table).await? {
            let there = table.keys_there(&mut *self.ends.read_destination().await?, &rows).await?;
            rows.retain(|row| !there.contains(&T::key(row)));
            if !rows.is_empty() {
                carried += table.add(self.ends.destination, &rows).await?;
            }
            pages.tell(self, T::NAME)?;
        }
        Ok(carried)
    }

    async fn compare<T: Table>(&mut self, table: &T, of: u64) -> Result<Differing, CarryError> {
        let mut pages = Pages::new(Phase::Comparing, of);
        let mut differing = Differing::default();
        while let Some(rows) = pages.next(self, table).await? {
            let there = table.there(&mut *self.ends.read_destination().await?, &rows).await?;
            let there: BTreeMap<_, _> = there.into_iter().map(|row| (T::key(&row), row)).collect();
            for row in rows {
                let key = T::key(&row);
                if there.get(&key) != Some(&row) {
                    differing.add(&key);
                }
            }
            pages.tell(self, T::NAME)?;
        }
        Ok(differing)
    }
}

#[derive(Default)]
struct Differing {
    rows: u64,
    first_keys: Vec<String>,
}

impl Differing {
    fn add(&mut self, key: &impl Debug) {
        self.rows += 1;
        if self.first_keys.len() < KEYS_TOLD_MAX {
            self.first_keys.push(format!("{key:?}"));
        }
    }
}

/// A way through the file's rows of one table, batch by batch.
struct Pages<Key> {
    phase: Phase,
    after: Option<Key>,
    done: u64,
    of: u64,
}

impl<Key: Clone> Pages<Key> {
    fn new(phase: Phase, of: u64) -> Self {
        Self { phase, after: None, done: 0, of }
    }

    /// The next rows as they are to stand in the destination; none at the end.
    async fn next<T: Table<Key = Key>>(
        &mut self,
        carrier: &Carrier<'_, '_>,
        table: &T,
    ) -> Result<Option<Vec<T::Row>>, CarryError> {
        let mut source = carrier.ends.read_source().await?;
        let rows = table.page(&mut source, self.after.as_ref(), carrier.batch_rows).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(T::key(last));
        self.done += rows.len() as u64;
        Ok(Some(rows.into_iter().filter_map(|row| table.expected(row)).collect()))
    }

    fn tell(&self, carrier: &mut Carrier<'_, '_>, table: &'static str) -> Result<(), CarryError> {
        let progress = Progress { table, phase: self.phase, done: self.done, of: self.of };
        match (carrier.watch)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CarryError::Stopped),
        }
    }
}

//! What has been set aside for a person: killmails that are parked or that ESI does not know (`invalid`), and lists whose
//! last attempt was parked. An operator looks at them, has them tried again, or gives killmails up; what he does is
//! written down beside it (`operator_action`), in the same transaction.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use domain::{KillmailId, ListOwner};
use serde::Serialize;

use crate::access::dialect;
use crate::list_table::table_of;
use crate::{Store, StoreError};

/// The cause of a killmail that was given up.
pub const DROPPED: &str = "dropped by operator";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ParkedRow {
    /// `killmail`, `character` or `corporation`: of the last two, it is the list.
    pub kind: String,
    pub id: i64,
    /// `parked` or `invalid`.
    pub state: String,
    pub cause: Option<String>,
    pub since: Option<DateTime<Utc>>,
}

/// Which of the parked rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen<'a> {
    Killmail(KillmailId),
    List(ListOwner),
    /// All whose cause holds this text.
    Cause(&'a str),
    /// All that is parked, and nothing that is invalid: of that ESI has said that it does not exist.
    All,
}

/// Who does something by hand, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operator {
    pub name: Option<String>,
    pub note: Option<String>,
}

/// What an operator does with something that is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is wanted and due again, as if nothing had ever gone wrong with it.
    Replay,
    /// It is given up for good.
    Drop,
}

impl Action {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Drop => "drop",
        }
    }
}

/// What was done by hand to one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ActionRow {
    pub at: DateTime<Utc>,
    pub operator: Option<String>,
    pub action: String,
    pub cause: Option<String>,
    pub note: Option<String>,
}

/// All that the rows say of a killmail, parked or not.
#[derive(Debug, Serialize)]
pub struct KillmailExplained {
    #[serde(flatten)]
    pub reference: ReferenceRow,
    /// Whose lists have shown it.
    pub characters: Vec<i64>,
    pub corporations: Vec<i64>,
    pub actions: Vec<ActionRow>,
}

#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct ReferenceRow {
    pub killmail_id: i64,
    pub killmail_hash: String,
    pub state: String,
    pub due_at: DateTime<Utc>,
    pub hinted_at: Option<DateTime<Utc>>,
    pub lease_until: Option<DateTime<Utc>>,
    pub attempt: i32,
    pub refusals: i32,
    pub last_reason: Option<String>,
    pub first_seen_at: DateTime<Utc>,
}

/// The job of a list, as far as it tells what becomes of it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct ListRow {
    pub next_sync_at: DateTime<Utc>,
    pub hinted_at: Option<DateTime<Utc>>,
    pub lease_until: Option<DateTime<Utc>>,
    pub attempt: i32,
    pub last_synced_at: Option<DateTime<Utc>>,
    pub last_verdict: Option<String>,
    pub last_reason: Option<String>,
    pub last_verdict_at: Option<DateTime<Utc>>,
}

/// How many killmails of some are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct InState {
    pub state: String,
    pub killmails: i64,
}

impl Store {
    /// # Errors
    /// When the database does not answer.
    pub async fn parked(&self) -> Result<Vec<ParkedRow>, StoreError> {
        dialect!(self.read("looking for what is parked").await?, parked())
    }

    /// None when no list has ever shown it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn explain_killmail(&self, killmail_id: KillmailId) -> Result<Option<KillmailExplained>, StoreError> {
        let mut access = self.read("explaining a killmail").await?;
        let Some(reference) = dialect!(access, reference(killmail_id))? else { return Ok(None) };
        let characters = dialect!(access, characters_with(killmail_id))?;
        let corporations = dialect!(access, corporations_with(killmail_id))?;
        let actions = dialect!(access, actions(&format!("killmail:{killmail_id}")))?;
        Ok(Some(KillmailExplained { reference, characters, corporations, actions }))
    }

    /// None when its character or corporation is not there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_row(&self, owner: ListOwner) -> Result<Option<ListRow>, StoreError> {
        dialect!(self.read("looking at a list").await?, list(owner))
    }

    /// In which states these killmails are; those that no list has shown are not told of.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn states_of_killmails(&self, killmail_ids: &[KillmailId]) -> Result<Vec<InState>, StoreError> {
        let ids: Vec<i64> = killmail_ids.iter().map(|id| id.get()).collect();
        dialect!(self.read("looking at killmails").await?, states(&ids))
    }

    /// What was done by hand to this subject, the first first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operator_actions(&self, subject: &str) -> Result<Vec<ActionRow>, StoreError> {
        dialect!(self.read("looking for what was done by hand").await?, actions(subject))
    }

    /// The chosen ones are wanted and due again, with no attempt and no refusal counted. Gives their subjects.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn replay_parked(&self, chosen: Chosen<'_>, operator: &Operator) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.transaction("having parked rows tried again").await?;
        let mut subjects = Vec::new();
        if chosen.is_of_killmails() {
            subjects.extend(dialect!(transaction, settle_killmails(chosen, Action::Replay, operator))?);
        }
        if chosen.is_of_lists() {
            subjects.extend(dialect!(transaction, replay_lists(chosen, operator))?);
        }
        transaction.commit().await?;
        Ok(subjects)
    }

    /// The chosen killmails are given up for good: `invalid`, with the cause [`DROPPED`]. Of a list nothing is: whoever
    /// does not want it removes its character or corporation. Gives their subjects.
    ///
    /// # Errors
    /// When the database does not answer: nothing is written.
    pub async fn drop_parked(&self, chosen: Chosen<'_>, operator: &Operator) -> Result<Vec<String>, StoreError> {
        if !chosen.is_of_killmails() {
            return Ok(Vec::new());
        }
        let mut transaction = self.transaction("giving parked killmails up").await?;
        let subjects = dialect!(transaction, settle_killmails(chosen, Action::Drop, operator))?;
        transaction.commit().await?;
        Ok(subjects)
    }

    /// Writes down what is about to be done to something that is no row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_operator_action(
        &self,
        action: Action,
        subject: &str,
        cause: &str,
        operator: &Operator,
    ) -> Result<(), StoreError> {
        let mut access = self.change("writing down what is done by hand").await?;
        dialect!(access, record(action, subject, cause, operator))?;
        access.commit().await
    }
}

impl Chosen<'_> {
    fn is_of_killmails(self) -> bool {
        !matches!(self, Self::List(_))
    }

    fn is_of_lists(self) -> bool {
        !matches!(self, Self::Killmail(_))
    }

    fn takes_invalid(self) -> bool {
        self != Self::All
    }

    fn killmail_id(self) -> Option<i64> {
        if let Self::Killmail(killmail_id) = self { Some(killmail_id.get()) } else { None }
    }

    /// Of the list that is chosen, if it is in this table.
    fn list_id(self, table: &str) -> Option<i64> {
        match self {
            Self::List(owner) => Some(if table_of(owner) == table { owner.id() } else { 0 }),
            _ => None,
        }
    }

    fn cause(&self) -> Option<&str> {
        if let Self::Cause(cause) = self { Some(cause) } else { None }
    }
}

/// What a killmail is from then on: its state and its reason.
fn settled_as(action: Action) -> (&'static str, Option<&'static str>) {
    match action {
        Action::Replay => ("wanted", None),
        Action::Drop => ("invalid", Some(DROPPED)),
    }
}

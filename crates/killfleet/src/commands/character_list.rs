//! `killfleet character list`.

use store::character::CharacterListed;

use super::{ReadArguments, connect, from_store, minute};

pub(crate) async fn run(arguments: ReadArguments) -> anyhow::Result<String> {
    let store = connect(&arguments.database).await?;
    let characters = store.characters().await.map_err(from_store)?;
    store.close().await;
    if arguments.json { Ok(serde_json::to_string(&characters)?) } else { Ok(table(&characters)) }
}

fn table(characters: &[CharacterListed]) -> String {
    let heading = format!(
        "{:>12}  {:<30} {:>6} {:>9}  {:<20}  {}",
        "id", "name", "logins", "killmails", "last synced", "last result"
    );
    [heading].into_iter().chain(characters.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn row(character: &CharacterListed) -> String {
    let last_synced = character.last_synced_at.map_or_else(|| "never".to_owned(), minute);
    let verdict = character.last_verdict.as_deref().unwrap_or("-");
    let result = match &character.last_reason {
        _ if character.needs_login => "needs a login".to_owned(),
        Some(reason) => format!("{verdict}: {reason}"),
        None => verdict.to_owned(),
    };
    format!(
        "{:>12}  {:<30} {:>6} {:>9}  {last_synced:<20}  {result}",
        character.character_id, character.character_name, character.streams, character.killmails_listed
    )
}

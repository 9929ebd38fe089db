use domain::TokenStreamId;
use sqlx::Result;
use sqlx_sqlite::SqliteConnection;

use super::SealedRow;
use crate::seal::TokenColumn;

pub(super) async fn count(connection: &mut SqliteConnection) -> Result<i64> {
    sqlx::query_scalar("select count(*) from token_stream").fetch_one(connection).await
}

pub(super) async fn page(connection: &mut SqliteConnection, after: i64, rows: i64) -> Result<Vec<SealedRow>> {
    sqlx::query_as(
        "select token_stream_id, character_id, access_token_sealed, refresh_token_sealed
         from token_stream where token_stream_id > ?1 order by token_stream_id limit ?2",
    )
    .bind(after)
    .bind(rows)
    .fetch_all(connection)
    .await
}

pub(super) async fn sealed(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    column: TokenColumn,
) -> Result<Option<Vec<u8>>> {
    let sealed = match column {
        TokenColumn::Access => "select access_token_sealed from token_stream where token_stream_id = ?1",
        TokenColumn::Refresh => "select refresh_token_sealed from token_stream where token_stream_id = ?1",
    };
    sqlx::query_scalar(sealed).bind(token_stream_id.get()).fetch_optional(connection).await.map(Option::flatten)
}

pub(super) async fn swap(
    connection: &mut SqliteConnection,
    token_stream_id: TokenStreamId,
    column: TokenColumn,
    old: &[u8],
    new: &[u8],
) -> Result<bool> {
    let swap = match column {
        TokenColumn::Access => {
            "update token_stream set access_token_sealed = ?3
             where token_stream_id = ?1 and access_token_sealed = ?2"
        }
        TokenColumn::Refresh => {
            "update token_stream set refresh_token_sealed = ?3
             where token_stream_id = ?1 and refresh_token_sealed = ?2"
        }
    };
    let swapped = sqlx::query(swap).bind(token_stream_id.get()).bind(old).bind(new).execute(connection).await?;
    Ok(swapped.rows_affected() == 1)
}

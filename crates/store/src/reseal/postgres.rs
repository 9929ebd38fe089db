use domain::TokenStreamId;
use sqlx::{PgConnection, Result};

use super::SealedRow;
use crate::seal::TokenColumn;

pub(super) async fn count(connection: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from token_stream"#).fetch_one(connection).await
}

pub(super) async fn page(connection: &mut PgConnection, after: i64, rows: i64) -> Result<Vec<SealedRow>> {
    sqlx::query_as!(
        SealedRow,
        r#"select token_stream_id, character_id, access_token_sealed, refresh_token_sealed
           from token_stream where token_stream_id > $1 order by token_stream_id limit $2"#,
        after,
        rows
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn sealed(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    column: TokenColumn,
) -> Result<Option<Vec<u8>>> {
    let is_access = column == TokenColumn::Access;
    sqlx::query_scalar!(
        r#"select case when $2 then access_token_sealed else refresh_token_sealed end
           from token_stream where token_stream_id = $1"#,
        token_stream_id.get(),
        is_access
    )
    .fetch_optional(connection)
    .await
    .map(Option::flatten)
}

pub(super) async fn swap(
    connection: &mut PgConnection,
    token_stream_id: TokenStreamId,
    column: TokenColumn,
    old: &[u8],
    new: &[u8],
) -> Result<bool> {
    let id = token_stream_id.get();
    let swapped = match column {
        TokenColumn::Access => {
            let swap = sqlx::query!(
                r#"update token_stream set access_token_sealed = $3
                   where token_stream_id = $1 and access_token_sealed = $2"#,
                id,
                old,
                new
            );
            swap.execute(connection).await
        }
        TokenColumn::Refresh => {
            let swap = sqlx::query!(
                r#"update token_stream set refresh_token_sealed = $3
                   where token_stream_id = $1 and refresh_token_sealed = $2"#,
                id,
                old,
                new
            );
            swap.execute(connection).await
        }
    };
    Ok(swapped?.rows_affected() == 1)
}

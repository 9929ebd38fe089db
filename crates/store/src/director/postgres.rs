use std::time::Duration;

use domain::token::CORPORATION_LIST_SCOPE;
use domain::{CharacterId, CorporationId};
use sqlx::{PgConnection, Result};

use crate::lease;

pub(super) async fn directors(
    connection: &mut PgConnection,
    corporation_id: CorporationId,
    limit: u32,
    refused_for: Duration,
) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select character_id from character c
           where corporation_id = $1
             and exists (select from token_stream s
                         where s.character_id = c.character_id and s.state in ('active', 'suspect')
                           and $2 = any (s.granted_scopes)
                           and not ($2 = any (s.refused_scopes)
                                    and s.scope_refused_at between now() - make_interval(secs => $3)
                                                               and now() + make_interval(secs => $3)))
           order by director_at nulls last, character_id
           limit $4"#,
        corporation_id.get(),
        CORPORATION_LIST_SCOPE,
        lease::seconds(refused_for),
        i64::from(limit)
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn set_director(connection: &mut PgConnection, character_id: CharacterId) -> Result<()> {
    sqlx::query!("update character set director_at = now() where character_id = $1", character_id.get())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(super) async fn unset_director(
    connection: &mut PgConnection,
    character_id: CharacterId,
    is_affiliation_due: bool,
) -> Result<()> {
    sqlx::query!(
        r#"update character
           set director_at = null, affiliation_due_at = case when $2 then now() else affiliation_due_at end
           where character_id = $1"#,
        character_id.get(),
        is_affiliation_due
    )
    .execute(connection)
    .await
    .map(|_| ())
}

pub(super) async fn refuse(connection: &mut PgConnection, character_id: CharacterId) -> Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"update token_stream
           set refused_scopes = array_append(array_remove(refused_scopes, $2), $2), scope_refused_at = now()
           where character_id = $1 and $2 = any (granted_scopes)
           returning token_stream_id"#,
        character_id.get(),
        CORPORATION_LIST_SCOPE
    )
    .fetch_all(connection)
    .await
}

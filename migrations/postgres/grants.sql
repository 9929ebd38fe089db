-- Two group roles, and what they may do: run after the migrations, every time (crates/store/src/schema/postgres.rs). So
-- this is no migration of its own, may be edited, and mends a database whose roles were made later.
--
-- `killfleet_app`: scheduler, workers and the operator's commands, but for `killfleet migrate` and `killfleet move`, which
-- the owner of the tables runs. It changes no schema, takes away no killmail, and rewrites nothing of what was written down
-- of the past.
-- `killfleet_operator`: reads the views, and nothing else. Views run with their owner's rights, and show no token.
--
-- Neither can log in: grant them to users that can (deploy/sql/roles.sql). A new table or view is added here; the contract
-- suite says so when it is not (crates/store/tests/contract/roles.rs).
do $$
declare
    wanted text;
begin
    foreach wanted in array array['killfleet_app', 'killfleet_operator'] loop
        -- Roles belong to the whole server: another database may have them already, or make them at this moment.
        continue when exists (select from pg_roles where rolname = wanted);
        begin
            execute format('create role %I nologin', wanted);
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise warning 'the role % does not exist, and % may not create it: see deploy/sql/roles.sql', wanted, current_user;
        end;
    end loop;

    if exists (select from pg_roles where rolname = 'killfleet_app') then
        execute format('grant usage on schema %I to killfleet_app', current_schema());
        grant select on _sqlx_migrations to killfleet_app;
        grant select, insert on operator_action, token_event to killfleet_app;
        -- Records are locked while old ones are taken away, and who locks needs a right to update something. This column,
        -- which the database gives by itself, can be set to nothing of one's choice.
        grant update (token_event_id) on token_event to killfleet_app;
        grant select, insert, update on
            character, character_killmail, character_list_page, corporation, corporation_killmail, corporation_list_page,
            esi_bucket, esi_gate, esi_spent, fleet_pause, killmail, killmail_participant, killmail_ref, sso_breaker, sso_slot,
            sync_run, token_stream
            to killfleet_app;
        grant delete on
            character, character_list_page, corporation, corporation_list_page, esi_spent, fleet_pause, sync_run, token_event,
            token_stream
            to killfleet_app;
        grant select on
            "user", corporation_freshness, fleet_health, killmail_attacker, killmail_backlog, killmail_item, killmail_victim,
            sync_freshness, token_health
            to killfleet_app;
    end if;

    if exists (select from pg_roles where rolname = 'killfleet_operator') then
        execute format('grant usage on schema %I to killfleet_operator', current_schema());
        grant select on
            "user", corporation_freshness, fleet_health, killmail_attacker, killmail_backlog, killmail_item, killmail_victim,
            sync_freshness, token_health
            to killfleet_operator;
    end if;
end
$$;

-- The fleet's own user, with the rights that `killfleet migrate` has granted to killfleet_app; run after it, by psql. Running
-- it again sets the password to what .env says now.
\getenv fleet_password KILLFLEET_FLEET_PASSWORD
select 'create role killfleet_fleet login'
where not exists (select from pg_roles where rolname = 'killfleet_fleet') \gexec
alter role killfleet_fleet password :'fleet_password';
grant killfleet_app to killfleet_fleet;

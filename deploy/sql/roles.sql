-- Database users that may do no more than they need. `killfleet migrate`, run by the owner of the database, makes the two
-- group roles and grants them their rights, again at every run.
--
-- Where the owner may not create roles (it warns), an administrator makes them once, and the owner runs it again:
create role killfleet_app nologin;
create role killfleet_operator nologin;

-- A user for scheduler, workers and commands, for KILLFLEET_DATABASE_URL: everything but `killfleet migrate` and
-- `killfleet move`, which remain the owner's. Choose passwords of your own: openssl rand -hex 24
create role killfleet_fleet login password 'CHANGE-ME' in role killfleet_app;

-- One for a person or a dashboard: reads the views, and nothing else.
create role dashboard login password 'CHANGE-ME' in role killfleet_operator;

-- Whether the tokens of this file belong to a fleet on PostgreSQL by now, and to which. Only a file has this, for only a
-- file is moved.

create table moved (
    -- Host, port and name of the database, never a password.
    destination text not null,
    begun_at    text not null,
    -- When all of it had been found equal in the destination.
    finished_at text
) strict;

-- From the mark on no process uses a token of this file, whatever it knew when it began: a claim raises the fence. What
-- came of a claim that was there before can still be saved.
create trigger no_claim_once_moved before update of fence on token_stream when exists (select 1 from moved)
begin select raise(abort, 'this file was moved: its tokens belong to another fleet'); end;
create trigger no_login_once_moved before insert on token_stream when exists (select 1 from moved)
begin select raise(abort, 'this file was moved: sign in to the fleet that it was moved to'); end;

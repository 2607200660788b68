-- What became of a letter. Those that are there already were read on the outbox page and go nowhere.

alter table control.mails
    add column state         text not null default 'kept'
        check (state in ('waiting', 'sent', 'kept', 'failed')),
    add column attempts      int not null default 0 check (attempts >= 0),
    add column due_at        timestamptz not null default now(),
    add column delivered_at  timestamptz,
    add column reply_code    int,
    add column reply         text check (char_length(reply) <= 1000),
    add constraint delivered check ((state in ('sent', 'kept')) >= (delivered_at is not null));

-- From here on a letter waits; also one that a server of the release before writes, which names neither.
alter table control.mails alter column state set default 'waiting';

create index mails_due on control.mails (due_at) where state = 'waiting';
create index mails_failed on control.mails (id) where state = 'failed';

-- A letter itself is never changed.
grant update (state, attempts, due_at, delivered_at, reply_code, reply) on control.mails to natter_control;

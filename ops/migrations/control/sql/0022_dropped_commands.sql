-- What Stripe refused can be let be by staff: it is neither done nor asked for again.
alter table control.stripe_commands drop constraint stripe_commands_state_check;
alter table control.stripe_commands add constraint stripe_commands_state_check
    check (state in ('pending', 'done', 'refused', 'replaced', 'dropped'));
create index stripe_commands_refused on control.stripe_commands (id) where state = 'refused';

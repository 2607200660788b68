-- What stands for an organization on invoices that are made from now on. Each invoice keeps what it was made with.
create table control.billing_details (
    organization_id  uuid primary key references control.organizations (id),
    company          text not null check (char_length(company) <= 200),
    -- Lines without empty ones among them.
    address          text not null check (char_length(address) <= 500),
    tax_number       text not null check (char_length(tax_number) <= 50),
    updated_at       timestamptz not null
);
alter table control.billing_details enable row level security;
alter table control.billing_details force row level security;
create policy system on control.billing_details to natter_control using (true) with check (true);
create policy tenant on control.billing_details to natter_portal
    using (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid);
grant select, insert, delete on control.billing_details to natter_control;
grant select, insert on control.billing_details to natter_portal;
grant update (company, address, tax_number, updated_at) on control.billing_details to natter_control, natter_portal;

-- One invoice for each order of the shop, and what was paid. Every value follows from its number.
create schema ledger;
create table invoices (number text primary key, order_id bigint not null unique, cents int not null check (cents > 0), issued_on date not null);
create table payments (id int primary key, invoice text not null references invoices, cents int not null, method text not null, received_at timestamptz not null);
create table ledger.entries (id bigserial primary key, account text not null, cents bigint not null, booked_on date not null);
insert into invoices select 'R-' || lpad(n::text, 6, '0'), n, 500 + n * 37 % 9000, date '2026-10-01' + n / 8 from generate_series(1, 240) n;
insert into payments select n, 'R-' || lpad(n::text, 6, '0'), 500 + n * 37 % 9000, (array['card', 'transfer'])[1 + n % 2], timestamptz '2026-10-02 09:00:00+00' + n * interval '3 hours' from generate_series(1, 200) n;
insert into ledger.entries (account, cents, booked_on) select (array['sales', 'bank'])[1 + n % 2], (1 - 2 * (n % 2)) * (500 + n / 2 * 37 % 9000), date '2026-10-01' + n / 16 from generate_series(2, 401) n;
create index payments_by_invoice on payments (invoice);

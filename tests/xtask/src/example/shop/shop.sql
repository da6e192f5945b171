-- What the shop sold. Every value follows from its number, so that each run makes the same rows.
create table customers (id int primary key, name text not null, email text not null unique, since date not null);
create table products (sku text primary key, title text not null, cents int not null check (cents > 0));
create table orders (id bigserial primary key, customer_id int not null references customers, placed_at timestamptz not null, state text not null);
create table order_lines (order_id bigint references orders, line int, sku text not null references products, pieces int not null check (pieces > 0), primary key (order_id, line));
insert into customers select n, 'Customer ' || n, 'c' || n || '@shop.example', date '2024-01-01' + n * 5 from generate_series(1, 120) n;
insert into products select (array['TEA', 'COF', 'CUP'])[1 + n % 3] || '-' || n, 'Product ' || n, 390 + 10 * n from generate_series(1, 30) n;
insert into orders (customer_id, placed_at, state) select 1 + n * 7 % 120, timestamptz '2026-10-01 08:00:00+00' + n * interval '3 hours', (array['new', 'paid', 'sent'])[1 + n % 3] from generate_series(1, 240) n;
insert into order_lines select o.id, line, p.sku, 1 + (o.id + line) % 4 from orders o, generate_series(1, 2) line, products p where p.cents = 390 + 10 * (1 + (o.id * 3 + line * 11) % 30);
create index orders_by_customer on orders (customer_id, placed_at);
create view open_orders as select * from orders where state <> 'sent';

/** The shop's tables in PostgreSQL, as the shop's own team would create them; `Tables` are their contracts. */
export const create = `
create table customers (
  id bigint primary key,
  name text not null,
  email text not null,
  country text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create table products (
  code text primary key,
  name text,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create table orders (
  id bigint primary key,
  order_number text not null unique,
  kind text not null,
  credits_order_id bigint,
  customer_id bigint references customers (id) on update cascade,
  country text not null,
  status text not null,
  currency text not null,
  total_minor bigint not null,
  placed_at timestamptz not null,
  updated_at timestamptz not null,
  notes text
);
-- Long notes stay outside the row and are not repeated in the log by updates that leave them alone.
alter table orders alter column notes set storage external;
create table order_lines (
  order_id bigint not null references orders (id) on update cascade on delete cascade,
  line_no integer not null,
  product_code text not null references products (code) on update cascade,
  quantity integer not null,
  unit_price_minor bigint not null,
  amount_minor bigint not null,
  currency text not null,
  status text not null,
  placed_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (order_id, line_no)
);
`

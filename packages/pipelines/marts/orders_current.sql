-- Orders as they stand, one row an order. No personal data: who bought is a number.
select
  o.id as order_id,
  o.order_number,
  o.kind,
  o.credits_order_id,
  o.customer_id,
  o.country,
  o.status,
  o.currency,
  o.total_minor,
  coalesce(l.line_count, 0) as line_count,
  coalesce(l.unit_count, 0) as unit_count,
  o.placed_at,
  o.updated_at,
  o._business_date as business_date,
  o._source_commit_at as source_commit_at
from curated.orders o
left join (
  select
    order_id,
    count(*) as line_count,
    cast(sum(quantity) as bigint) as unit_count
  from curated.order_lines
  group by order_id
) l on l.order_id = o.id

-- Sales that have not left the warehouse, by status and age. One row a status, age and currency.
-- Age is measured against the newest change of any order, not against the clock: a stalled pipeline does not age
-- orders that may long have shipped, and the same data gives the same answer.
select
  status,
  case
    when age_minutes < 240 then 'under 4 h'
    when age_minutes < 1440 then '4 h to 1 d'
    when age_minutes < 4320 then '1 d to 3 d'
    else 'over 3 d'
  end as age,
  case
    when age_minutes < 240 then 1
    when age_minutes < 1440 then 2
    when age_minutes < 4320 then 3
    else 4
  end as age_rank,
  currency,
  count(*) as order_count,
  cast(sum(line_count) as bigint) as line_count,
  cast(sum(total_minor) as bigint) as total_minor,
  min(placed_at) as oldest_placed_at
from (
  select
    o.status,
    o.currency,
    o.total_minor,
    o.placed_at,
    coalesce(l.line_count, 0) as line_count,
    datediff('minute', o.placed_at, newest.as_of) as age_minutes
  from curated.orders o
  cross join (select max(updated_at) as as_of from curated.orders) newest
  left join (select order_id, count(*) as line_count from curated.order_lines group by order_id) l on l.order_id = o.id
  where o.kind = 'sale' and o.status in ('placed', 'paid', 'picked')
) open_orders
group by 1, 2, 3, 4

-- What was ordered on each business date, in minor units, never across currencies. One row a date and currency.
-- A cancelled order counts nowhere. Money given back counts once: as the credit, on the credit's own date; the sale it
-- gives back keeps its amount and date. Credits are negative, so net_minor = sales_minor + credits_minor.
-- Postage, charges and discounts are lines of orders and included. Stock adjustments move no money and are left out.
select
  _business_date as business_date,
  currency,
  count(case when kind = 'sale' then 1 end) as sale_count,
  count(case when kind = 'credit' then 1 end) as credit_count,
  cast(sum(case when kind = 'sale' then total_minor else 0 end) as bigint) as sales_minor,
  cast(sum(case when kind = 'credit' then total_minor else 0 end) as bigint) as credits_minor,
  cast(sum(total_minor) as bigint) as net_minor
from curated.orders
where status <> 'cancelled' and kind <> 'adjustment'
group by _business_date, currency

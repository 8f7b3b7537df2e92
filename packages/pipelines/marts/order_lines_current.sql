-- Lines of orders as they stand, with what people call the order and the product. One row a line.
select
  l.order_id,
  l.line_no,
  o.order_number,
  o.kind,
  o.status as order_status,
  l.status,
  l.product_code,
  p.name as product_name,
  l.quantity,
  l.currency,
  l.unit_price_minor,
  l.amount_minor,
  l.placed_at,
  l.updated_at,
  l._business_date as business_date,
  l._source_commit_at as source_commit_at
from curated.order_lines l
left join curated.orders o on o.id = l.order_id
left join curated.products p on p.code = l.product_code

-- What lies on the shelves by each warehouse's newest count. One row a warehouse and product.
select s.warehouse, s.product_code, p.name as product_name, s.counted_on, s.on_hand, s.reserved, s.on_hand - s.reserved as free
from curated.stock_level s
join (select warehouse, max(counted_on) as counted_on from curated.stock_level group by warehouse) newest
  on newest.warehouse = s.warehouse and newest.counted_on = s.counted_on
left join curated.products p on p.code = s.product_code

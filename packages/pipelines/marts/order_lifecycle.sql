-- One row an order: what was ordered, paid, given back, contested, shipped and returned. Amounts are minor units; payments
-- are in the currency they were made in and counted only where it is the order's (payment_currency_differs says where not).
-- A refund counts once it has succeeded (the rest of a partly captured payment, which old versions of Stripe's API give back as
-- one, is none), a dispute while it is open or when it is lost; attempts to pay that were declined count nowhere, nor do
-- cancelled shipments. Late refunds, cancellations and scans move the row of their own order only.
select
  o.order_number,
  o.id as order_id,
  o.kind,
  o.status,
  o.currency,
  o.total_minor,
  o.placed_at,
  o._business_date as business_date,
  coalesce(p.captured_minor, 0) as captured_minor,
  coalesce(p.refunded_minor, 0) as refunded_minor,
  coalesce(p.disputed_minor, 0) as disputed_minor,
  coalesce(p.charge_count, 0) as charge_count,
  coalesce(p.foreign_count, 0) > 0 as payment_currency_differs,
  coalesce(s.shipment_count, 0) as shipment_count,
  s.first_handed_over_at,
  coalesce(s.delivered_count, 0) as delivered_count,
  e.first_scan_at,
  e.last_scan_at,
  coalesce(r.returned_quantity, 0) as returned_quantity
from curated.orders o
left join (
  select
    c.order_number,
    o2.currency,
    count(case when lower(c.currency) = lower(o2.currency) then 1 end) as charge_count,
    count(case when lower(c.currency) <> lower(o2.currency) then 1 end) as foreign_count,
    cast(sum(case when lower(c.currency) = lower(o2.currency) then c.captured_minor else 0 end) as bigint) as captured_minor,
    cast(sum(case when lower(c.currency) = lower(o2.currency) then coalesce(f.refunded_minor, 0) else 0 end) as bigint) as refunded_minor,
    cast(sum(case when lower(c.currency) = lower(o2.currency) then coalesce(d.disputed_minor, 0) else 0 end) as bigint) as disputed_minor
  from curated.charge c
  join curated.orders o2 on o2.order_number = c.order_number
  left join (
    select r.charge_id, cast(sum(r.amount_minor) as bigint) as refunded_minor
    from curated.fct_refund r
    left join curated.fct_payment_event t on t.id = r.balance_transaction_id
    where r.status = 'succeeded' and coalesce(t.kind, 'refund') <> 'partial_capture_reversal'
    group by r.charge_id
  ) f on f.charge_id = c.id
  left join (
    select charge_id, cast(sum(amount_minor) as bigint) as disputed_minor from curated.fct_dispute
    where status in ('needs_response', 'under_review', 'lost') group by charge_id
  ) d on d.charge_id = c.id
  where c.status = 'succeeded'
  group by c.order_number, o2.currency
) p on p.order_number = o.order_number
left join (
  select
    order_number,
    count(*) as shipment_count,
    count(case when status = 'DELIVERED' then 1 end) as delivered_count,
    min(handed_over_at) as first_handed_over_at
  from curated.fct_shipment where status <> 'CANCELLED' group by order_number
) s on s.order_number = o.order_number
left join (
  select h.order_number, min(v.scanned_at) as first_scan_at, max(v.scanned_at) as last_scan_at
  from curated.fct_shipment_event v join curated.fct_shipment h on h.shipment_id = v.shipment_id group by h.order_number
) e on e.order_number = o.order_number
left join (
  select order_number, cast(sum(quantity) as bigint) as returned_quantity from curated.fct_return group by order_number
) r on r.order_number = o.order_number

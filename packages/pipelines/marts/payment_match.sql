-- Every object of Stripe that moves money against the balance it moved, one row an object (and settlement currency, should it
-- have several); and what moved the balance without an object that is known. Amounts are minor units, expected_minor in the object's currency, ledger_minor in that of the
-- settlement, fees of Stripe apart. A capture of a part by an old version of Stripe's API books the whole payment and gives the
-- rest back as a refund object that is none: it raises what is expected of the payment, and is no refund. Summed over all labels ledger_minor is the whole ledger: what does not match has a name.
--   matched          the balance moved by what the object says
--   converted        settled in another currency: both are there, their amounts are not compared
--   fee              a fee that Stripe books by itself
--   not_in_ledger    the object says that money moved, the ledger does not: Stripe books some payments a little later
--   amount_differs   the ledger moved by another amount, as for a refund that failed and was not booked back
--   order_missing    a payment whose order is not known
--   given_back_twice refunds and open or lost disputes of a payment are more than was captured
--   object_missing   the ledger names an object that is not known
--   no_object        the ledger names none, as for adjustments and topups
select
  coalesce(p.object_kind, l.kind) as object_kind,
  coalesce(p.object_id, l.source_id) as object_id,
  p.order_number,
  coalesce(l.business_date, p.business_date) as business_date,
  p.currency,
  p.expected_minor,
  l.currency as settlement_currency,
  coalesce(l.amount_minor, 0) as ledger_minor,
  coalesce(l.movement_count, 0) as movement_count,
  case
    when l.part = 'fee' then 'fee'
    when p.object_id is null and l.source_id is null then 'no_object'
    when p.object_id is null then 'object_missing'
    when l.part is null and p.expected_minor <> 0 then 'not_in_ledger'
    when l.currency = p.currency and l.amount_minor <> p.expected_minor then 'amount_differs'
    when p.is_charge = 1 and p.order_id is null then 'order_missing'
    when p.given_back_minor > p.captured_minor then 'given_back_twice'
    when l.currency <> p.currency then 'converted'
    else 'matched'
  end as label
from (
  select
    'charge' as object_kind,
    c.id as object_id,
    c.order_number,
    o.id as order_id,
    c._business_date as business_date,
    lower(c.currency) as currency,
    cast(c.captured_minor + coalesce(f.released_minor, 0) as bigint) as expected_minor,
    c.captured_minor,
    cast(coalesce(f.refunded_minor, 0) + coalesce(d.disputed_minor, 0) as bigint) as given_back_minor,
    case when c.captured_minor > 0 then 1 else 0 end as is_charge
  from curated.charge c
  left join curated.orders o on o.order_number = c.order_number
  left join (
    select
      r.charge_id,
      cast(sum(case when t.kind = 'partial_capture_reversal' or coalesce(r.status, 'pending') <> 'succeeded' then 0 else r.amount_minor end) as bigint) as refunded_minor,
      cast(sum(case when t.kind = 'partial_capture_reversal' then r.amount_minor else 0 end) as bigint) as released_minor
    from curated.fct_refund r
    left join curated.fct_payment_event t on t.id = r.balance_transaction_id
    group by r.charge_id
  ) f on f.charge_id = c.id
  left join (
    select charge_id, cast(sum(amount_minor) as bigint) as disputed_minor from curated.fct_dispute
    where status in ('needs_response', 'under_review', 'lost') group by charge_id
  ) d on d.charge_id = c.id
  union all
  select
    'refund', id, null, null, _business_date, lower(currency),
    case
      when coalesce(status, 'pending') in ('failed', 'canceled') then 0
      when balance_transaction_id is not null or status = 'succeeded' then -amount_minor
      else 0
    end,
    0, 0, 0
  from curated.fct_refund
  union all
  select
    'dispute', id, null, null, _business_date, lower(currency),
    case when status in ('needs_response', 'under_review', 'lost') then -amount_minor else 0 end,
    0, 0, 0
  from curated.fct_dispute
  union all
  select
    'payout', id, null, null, _business_date, lower(currency),
    case when balance_transaction_id is not null and status not in ('failed', 'canceled') then -amount_minor else 0 end,
    0, 0, 0
  from curated.fct_payout
) p
full join (
  select
    coalesce(source_id, id) as object_id,
    source_id,
    case when kind = 'fee' then 'fee' else 'principal' end as part,
    max(kind) as kind,
    min(_business_date) as business_date,
    lower(currency) as currency,
    cast(sum(amount_minor) as bigint) as amount_minor,
    count(*) as movement_count
  from curated.fct_payment_event
  group by coalesce(source_id, id), source_id, case when kind = 'fee' then 'fee' else 'principal' end, lower(currency)
) l on l.object_id = p.object_id and l.part = 'principal'

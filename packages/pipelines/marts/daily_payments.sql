-- The Stripe balance by UTC day, kind of movement and settlement currency, minor units: opening plus these is closing.
select
  _business_date as business_date,
  currency,
  kind,
  count(*) as movement_count,
  cast(sum(amount_minor) as bigint) as amount_minor,
  cast(sum(fee_minor) as bigint) as fee_minor,
  cast(sum(net_minor) as bigint) as net_minor
from curated.fct_payment_event
group by _business_date, currency, kind

import { Clock, Effect, Random } from "effect"
import { Client } from "pg"

/** The tables of `pgbench -i`, small: `pgbench_history` has no key. */
export const schema = `
create table pgbench_branches (bid int not null primary key, bbalance int, filler char(88));
create table pgbench_tellers (tid int not null primary key, bid int, tbalance int, filler char(84));
create table pgbench_accounts (aid int not null primary key, bid int, abalance int, filler char(84)) with (fillfactor = 100);
create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
insert into pgbench_branches (bid, bbalance) values (1, 0), (2, 0);
insert into pgbench_tellers (tid, bid, tbalance) select n, 1 + n % 2, 0 from generate_series(1, 20) n;
insert into pgbench_accounts (aid, bid, abalance, filler) select n, 1 + n % 2, 0, '' from generate_series(1, 20000) n;
`

/** Transactions of the built-in script "tpcb-like" through one connection until interrupted; counts them. */
export const traffic = (url: string, seed: string, onCommit: () => void): Effect.Effect<never> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const client = new Client({ connectionString: url })
      await client.connect()
      return client
    }),
    (client) =>
      transaction(client).pipe(
        Effect.andThen(Effect.sync(onCommit)),
        Effect.andThen(Effect.sleep("2 millis")),
        Effect.forever
      ),
    (client) => Effect.promise(() => client.end())
  ).pipe(Random.withSeed(seed))

const transaction = (client: Client): Effect.Effect<void> =>
  Effect.gen(function* () {
    const aid = 1 + Math.floor((yield* Random.next) * 20_000)
    const bid = 1 + Math.floor((yield* Random.next) * 2)
    const tid = 1 + Math.floor((yield* Random.next) * 20)
    const delta = Math.floor((yield* Random.next) * 10_000) - 5000
    const now = new Date(yield* Clock.currentTimeMillis).toISOString()
    yield* Effect.uninterruptible(
      Effect.promise(() =>
        client.query(
          `begin;
          update pgbench_accounts set abalance = abalance + ${delta} where aid = ${aid};
          select abalance from pgbench_accounts where aid = ${aid};
          update pgbench_tellers set tbalance = tbalance + ${delta} where tid = ${tid};
          update pgbench_branches set bbalance = bbalance + ${delta} where bid = ${bid};
          insert into pgbench_history (tid, bid, aid, delta, mtime) values (${tid}, ${bid}, ${aid}, ${delta}, '${now}');
          end`
        )
      )
    )
  })

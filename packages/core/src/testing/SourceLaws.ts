import { Effect, Option, type Scope, Stream } from "effect"
import * as Batch from "../Batch.ts"
import type { ConnectorError } from "../ConnectorError.ts"
import { decode, encode } from "../Position.ts"
import type { Reader, Source } from "../Source.ts"
import { example, type Law, ensure, same } from "./Law.ts"

/** A source to hold to the laws. */
export interface Subject<A, P, R1, R2> {
  readonly name: string
  /** A source with some history, to which nobody adds meanwhile. */
  readonly make: Effect.Effect<Source<A, P, R1>, ConnectorError, R2 | Scope.Scope>
  /** A live source forgets what it released and cannot be read twice: only S1 and S3 bind it. */
  readonly live: boolean
  /** Where reading begins; the beginning without it. */
  readonly after?: P
  /** A row as a value that `Equal` compares by content; the row itself without it. */
  readonly comparable?: (row: A) => unknown
}

/** S1 to S4 as far as they bind the source. */
export const laws = <A, P, R1, R2>(
  subject: Subject<A, P, R1, R2>
): ReadonlyArray<Law<Exclude<R1 | R2, Scope.Scope>>> => {
  const always = [
    example(`S1 chain: ${subject.name} reads batches that start where the last ended`, chain(subject)),
    example(`S3 order: ${subject.name} reads ever larger positions that round-trip through text`, order(subject))
  ]
  if (subject.live) return always
  return [
    ...always,
    example(`S2 resume: ${subject.name} resumes after any batch with exactly the rest`, resume(subject)),
    example(`S4 stable: ${subject.name} reads a closed range twice alike`, stable(subject))
  ]
}

/** A batch as read: its arrow in the position's text form, and its rows. */
interface Read {
  readonly after: string | undefined
  readonly through: string
  readonly at: unknown
  readonly rows: ReadonlyArray<unknown>
}

const chain = Effect.fnUntraced(function* <A, P, R1, R2>(subject: Subject<A, P, R1, R2>) {
  const { source, reader, through } = yield* open(subject)
  const batches = yield* read(subject, source, reader, start(subject), through)
  let stands = Option.getOrUndefined(Option.map(start(subject), (at) => encode(source.position, at)))
  for (const batch of batches) {
    yield* same("where a batch starts", batch.after, stands)
    stands = batch.through
  }
  // Nobody reads a live source's closed range again, so it may end at its last commit.
  if (!subject.live) yield* same("where a closed range ends", stands, encode(source.position, through))
})

const order = Effect.fnUntraced(function* <A, P, R1, R2>(subject: Subject<A, P, R1, R2>) {
  const { source, reader, through } = yield* open(subject)
  const { position } = source
  let last: Option.Option<P> = start(subject)
  for (const batch of yield* read(subject, source, reader, last, through)) {
    const at = yield* decode(position, batch.through)
    yield* ensure(`${batch.through} read from its text is itself`, position.order(at, batch.at as P) === 0)
    yield* same("the text of a position read from its text", encode(position, at), batch.through)
    yield* ensure(
      `${batch.through} is beyond the batch before`,
      Option.isNone(last) || position.order(at, last.value) > 0
    )
    last = Option.some(at)
  }
})

const resume = Effect.fnUntraced(function* <A, P, R1, R2>(subject: Subject<A, P, R1, R2>) {
  const { source, reader, through } = yield* open(subject)
  const all = yield* read(subject, source, reader, start(subject), through)
  for (const [index, batch] of all.entries()) {
    const after = yield* decode(source.position, batch.through)
    const rest = yield* read(subject, source, reader, Option.some(after), through)
    yield* same(`rows read after ${batch.through}`, rowsOf(rest), rowsOf(all.slice(index + 1)))
  }
})

const stable = Effect.fnUntraced(function* <A, P, R1, R2>(subject: Subject<A, P, R1, R2>) {
  const { source, reader, through } = yield* open(subject)
  const once = yield* read(subject, source, reader, start(subject), through)
  const again = yield* read(subject, source, yield* source.open, start(subject), through)
  yield* same("rows of the second reading", rowsOf(again), rowsOf(once))
})

/** Where reading begins. */
const start = <A, P, R1, R2>({ after }: Subject<A, P, R1, R2>): Option.Option<P> =>
  after === undefined ? Option.none() : Option.some(after)

const open = Effect.fnUntraced(function* <A, P, R1, R2>(subject: Subject<A, P, R1, R2>) {
  const source = yield* subject.make
  const reader = yield* source.open
  const head = yield* reader.head
  if (Option.isNone(head)) return yield* Effect.die(`${subject.name}: the law suite needs a source with some history`)
  return { source, reader, through: head.value }
})

const read = <A, P, R1, R2>(
  subject: Subject<A, P, R1, R2>,
  { position }: Source<A, P, R1>,
  reader: Reader<A, P>,
  after: Option.Option<P>,
  through: P
) =>
  reader.read({ after, through: Option.some(through) }).pipe(
    Stream.mapEffect((batch) =>
      Effect.map(Batch.rows(batch), (rows): Read => ({
        after: Option.getOrUndefined(Option.map(batch.after, (at) => encode(position, at))),
        through: encode(position, batch.through),
        at: batch.through,
        rows: subject.comparable === undefined ? rows : rows.map(subject.comparable)
      }))
    ),
    Stream.runCollect
  )

const rowsOf = (batches: ReadonlyArray<Read>): ReadonlyArray<unknown> => batches.flatMap(({ rows }) => rows)

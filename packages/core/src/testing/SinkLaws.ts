import { Arbitrary, Cause, Effect, Equal, Exit, Option, Schema, type Scope } from "effect"
import * as Batch from "../Batch.ts"
import type { ConnectorError } from "../ConnectorError.ts"
import { encode, type PositionType } from "../Position.ts"
import type { Writer } from "../Sink.ts"
import * as FaultInjector from "./FaultInjector.ts"
import { type Law, property, ensure, same } from "./Law.ts"

/** A durable place that a sink writes to. */
export interface Store<in A, in out P> {
  /** Opens a writer as a new process would, under the store's one key. */
  readonly open: Effect.Effect<Writer<A, P>, ConnectorError, Scope.Scope>
  /**
   * What is stored, as a value that `Equal` compares by content and that depends on the committed rows only, not on how
   * they were batched, when, or by which run.
   */
  readonly contents: Effect.Effect<unknown, ConnectorError>
}

/** A sink to hold to laws K1 to K4. */
export interface Subject<A, P, R> {
  readonly name: string
  readonly position: PositionType<P>
  /** The n-th of ascending positions, from 1. */
  readonly at: (n: number) => P
  /** Rows of successive batches; some empty. */
  readonly batches: Arbitrary.Arbitrary<ReadonlyArray<ReadonlyArray<A>>>
  /** A fresh and empty store. */
  readonly make: Effect.Effect<Store<A, P>, ConnectorError, R | Scope.Scope>
  /** Random inputs a law is tried on; default 10. */
  readonly runs?: number
}

/** K1 to K4. */
export const laws = <A, P, R>(subject: Subject<A, P, R>): ReadonlyArray<Law<Exclude<R, Scope.Scope>>> => {
  const { name, batches } = subject
  const options = { runs: subject.runs ?? 10 }
  const n = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })))
  const kind = Arbitrary.schema(Schema.Literals(["fail", "die", "interrupt"]))
  const atOnce = Arbitrary.schema(Schema.Boolean)
  return [
    property(
      `K1 atomic: ${name}, crashed at every step of a commit in turn, holds rows and watermark both old or both new`,
      { ...options, input: Arbitrary.all({ batches, n, kind }) },
      (input) => atomic(subject, input.batches, input.n, input.kind)
    ),
    property(
      `K2 idempotent: ${name} answers a batch committed before with a replay and changes nothing`,
      { ...options, input: batches },
      (input) => idempotent(subject, input)
    ),
    property(
      `K3 compose: ${name} stores joined batches as it stores them one by one`,
      { ...options, input: Arbitrary.all({ batches, n }) },
      (input) => composes(subject, input.batches, input.n)
    ),
    property(
      `K4 fence: of several writers of ${name} opened at one watermark at most one commits`,
      { ...options, input: Arbitrary.all({ batches, atOnce }) },
      (input) => fences(subject, input.batches, input.atOnce)
    )
  ]
}

const atomic = Effect.fnUntraced(function* <A, P, R>(
  subject: Subject<A, P, R>,
  rows: ReadonlyArray<ReadonlyArray<A>>,
  n: number,
  kind: FaultInjector.Fault["kind"]
) {
  const batches = path(subject, rows)
  const victim = batches[n % Math.max(1, batches.length)]
  if (victim === undefined) return
  const before = batches.slice(0, batches.indexOf(victim))
  const older = yield* holding(subject, before)
  const newer = yield* holding(subject, [...before, victim])
  const whole = yield* holding(subject, batches)
  const injector = yield* FaultInjector.make
  for (let nth = 1; ; nth++) {
    yield* ensure("a commit passes fewer than 1,000 steps", nth < 1000)
    const hasStruck = yield* crash(
      subject,
      injector,
      { before, victim, batches, older, newer, whole },
      { step: "*", nth, kind }
    )
    if (!hasStruck) return yield* ensure("a commit passes failpoints, so that there is a step to crash at", nth > 1)
  }
})

/** Commits `victim` under a fault, looks at what is stored, finishes the path; says whether the fault struck. */
const crash = <A, P, R>(
  subject: Subject<A, P, R>,
  injector: FaultInjector.FaultInjector,
  expected: {
    readonly before: ReadonlyArray<Batch.Batch<A, P>>
    readonly victim: Batch.Batch<A, P>
    readonly batches: ReadonlyArray<Batch.Batch<A, P>>
    readonly older: unknown
    readonly newer: unknown
    readonly whole: unknown
  },
  fault: FaultInjector.Fault
) =>
  Effect.gen(function* () {
    const store = yield* subject.make
    yield* advance(subject, store, expected.before)
    yield* injector.arm(fault)
    yield* Effect.exit(injector.provide(advance(subject, store, [expected.victim])))
    const hasStruck = yield* injector.hasStruck
    const passed = (yield* injector.trace).join(", ")
    const now = yield* state(subject, store)
    const isOld = Equal.equals(now, expected.older)
    if (!isOld || !hasStruck)
      yield* same(`what is stored after a ${fault.kind} at the end of ${passed}`, now, expected.newer)
    yield* advance(subject, store, expected.batches)
    yield* same(
      `what is stored when resumed after a ${fault.kind} at ${passed}`,
      yield* state(subject, store),
      expected.whole
    )
    return hasStruck
  }).pipe(Effect.scoped)

const idempotent = Effect.fnUntraced(function* <A, P, R>(
  subject: Subject<A, P, R>,
  rows: ReadonlyArray<ReadonlyArray<A>>
) {
  const batches = path(subject, rows)
  const store = yield* subject.make
  const writer = yield* store.open
  for (const batch of batches) {
    const first = yield* writer.commit(batch)
    yield* same("the first receipt says replayed", first.replayed, false)
    const second = yield* writer.commit(batch)
    yield* same("the second receipt", [second.replayed, second.rows], [true, 0])
  }
  const once = yield* holding(subject, batches)
  yield* same("what is stored after commits were repeated", yield* state(subject, store), once)
  const later = yield* store.open
  for (const batch of batches) {
    yield* same("a later writer's receipt says replayed", (yield* later.commit(batch)).replayed, true)
  }
  yield* same("what is stored after a later writer repeated them", yield* state(subject, store), once)
})

const composes = Effect.fnUntraced(function* <A, P, R>(
  subject: Subject<A, P, R>,
  rows: ReadonlyArray<ReadonlyArray<A>>,
  n: number
) {
  const batches = path(subject, rows)
  const joined: Array<Batch.Batch<A, P>> = []
  for (const [index, batch] of batches.entries()) {
    const last = joined.at(-1)
    if (last === undefined || (index + n) % 3 === 0) joined.push(batch)
    else joined[joined.length - 1] = Batch.concat(last, batch)
  }
  yield* same("what joined batches store", yield* holding(subject, joined), yield* holding(subject, batches))
})

/** Every contender continues the first batch with rows of its own. */
const fences = Effect.fnUntraced(function* <A, P, R>(
  subject: Subject<A, P, R>,
  rows: ReadonlyArray<ReadonlyArray<A>>,
  atOnce: boolean
) {
  const before = path(subject, rows.slice(0, 1))
  const contenders = rows
    .slice(1, 5)
    .map((own, index) => Batch.make({ after: Option.some(subject.at(1)), through: subject.at(index + 2) }, own))
  if (contenders.length === 0) return
  const store = yield* subject.make
  yield* advance(subject, store, before)
  const attempts = yield* Effect.forEach(contenders, (batch) => Effect.map(store.open, (writer) => ({ writer, batch })))
  const exits = yield* Effect.forEach(attempts, ({ writer, batch }) => Effect.exit(writer.commit(batch)), {
    concurrency: atOnce ? "unbounded" : 1
  })
  for (const exit of exits) {
    if (Exit.isFailure(exit)) yield* ensure(`no defect: ${Cause.pretty(exit.cause)}`, !Cause.hasDies(exit.cause))
  }
  const winners = contenders.filter((_, index) => {
    const exit = exits[index]
    return exit !== undefined && Exit.isSuccess(exit) && !exit.value.replayed
  })
  yield* ensure(`at most one writer commits, not ${winners.length}`, winners.length <= 1)
  const expected = yield* holding(subject, [...before, ...winners])
  yield* same("what is stored after the race", yield* state(subject, store), expected)
})

/** What is needed to lay batches end to end. */
export type Positions<P> = Pick<Subject<never, P, never>, "position" | "at">

/** Batches that chain from the beginning. */
export const path = <A, P>(
  { at }: Positions<P>,
  rows: ReadonlyArray<ReadonlyArray<A>>
): ReadonlyArray<Batch.Batch<A, P>> =>
  rows.map((own, index) =>
    Batch.make({ after: index === 0 ? Option.none() : Option.some(at(index)), through: at(index + 1) }, own)
  )

/** Commits what of a path lies beyond the watermark, as a resumed pipeline does. */
export const advance = <A, P>(
  { position }: Positions<P>,
  store: Store<A, P>,
  batches: ReadonlyArray<Batch.Batch<A, P>>
) =>
  Effect.scoped(
    Effect.flatMap(store.open, (writer) => {
      const isNew = ({ through }: Batch.Batch<A, P>) =>
        Option.isNone(writer.watermark) || position.order(through, writer.watermark.value) > 0
      return Effect.forEach(batches.filter(isNew), writer.commit, { discard: true })
    })
  )

/** Contents and watermark. */
const state = Effect.fnUntraced(function* <A, P>({ position }: Positions<P>, store: Store<A, P>) {
  const { watermark } = yield* Effect.scoped(store.open)
  const text = Option.map(watermark, (at) => encode(position, at))
  return { watermark: Option.getOrUndefined(text), contents: yield* store.contents }
})

/** The state of a fresh store after batches. */
const holding = <A, P, R>(subject: Subject<A, P, R>, batches: ReadonlyArray<Batch.Batch<A, P>>) =>
  Effect.gen(function* () {
    const store = yield* subject.make
    yield* advance(subject, store, batches)
    return yield* state(subject, store)
  }).pipe(Effect.scoped)

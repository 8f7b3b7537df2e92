import { expect, layer } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import * as Status from "@northstar/connectors/project/Status"
import { Console, Context, Effect, Fiber, Layer, Schedule } from "effect"
import { renameSync } from "node:fs"
import type { Fault } from "./Process.ts"
import * as Settings from "./Settings.ts"
import * as SourcesFile from "./SourcesFile.ts"
import * as Life from "./SourcesLife.ts"
import * as SourcesOracle from "./SourcesOracle.ts"
import * as SourcesProcess from "./SourcesProcess.ts"
import * as SourcesStand from "./SourcesStand.ts"

class Server extends Context.Service<Server, Postgres.Server>()("test/Server") {
  static readonly layer: Layer.Layer<Server, ConnectorError> = Layer.effect(Server, Postgres.start())
}

const options = Settings.isSourcesFull ? { kills: 50, before: 300 } : { kills: 4, before: 120 }

/** An ingest that is killed at a random moment of a busy world; what is wrong if it ended before. */
const killedLife = (life: Life.Life, run: number) =>
  Effect.gen(function* () {
    const { ended, kill, firstBatch } = yield* SourcesProcess.start(life.stand, { untilCaughtUp: false })
    const living = yield* Effect.forkScoped(
      Effect.forever(Effect.andThen(Life.happen(life), Effect.sleep(20 + life.dice.below(200))))
    )
    yield* Life.trade(life, run)
    if (life.dice.chance(0.8))
      yield* Effect.timeoutOption(firstBatch(life.dice.pick(["capture", "load"])), "15 seconds")
    yield* Effect.sleep(life.dice.below(4000))
    yield* Fiber.interrupt(living)
    const { code, said } = yield* kill
    yield* ended
    return code === undefined ? [] : [`an ingest ended (${code}): ${said}`]
  }).pipe(Effect.scoped)

layer(Server.layer, { excludeTestServices: true, timeout: "2 minutes" })("three sources at once", (it) => {
  it.effect(
    "P1 crash: ingests killed at random moments end in what Stripe's objects, the partners' rows and the shop say",
    () =>
      Effect.gen(function* () {
        yield* Console.log(`three sources: NORTHSTAR_SEED=${Settings.seed}`)
        const { url } = yield* Server
        const life = yield* Life.make(url, "lives", `lives ${Settings.seed}`)
        yield* Life.pay(life, options.before)
        yield* Life.trade(life, 0)
        Life.trouble(life)
        const problems: Array<string> = []
        for (let kill = 1; kill <= options.kills; kill++) problems.push(...(yield* killedLife(life, kill)))
        yield* Life.calm(life)
        yield* SourcesProcess.catchUp(life.stand)
        const verdict = yield* SourcesOracle.judge(life.stand, life.local.world, life.drop.puts)
        yield* Console.log(
          `three sources: ${options.kills} kills, ${verdict.files} files, ${verdict.rows} rows compared, ${verdict.problems.length} differences`
        )
        expect([...problems, ...verdict.problems]).toEqual([])
        expect(verdict.files).toBeGreaterThan(5)
      }),
    Settings.isSourcesFull ? 1_800_000 : 300_000
  )

  it.effect(
    "P1 crash: an ingest killed at any failpoint of Stripe and of files leaves what one that was not killed does",
    () =>
      Effect.gen(function* () {
        yield* Console.log(`matrix of sources: NORTHSTAR_SEED=${Settings.seed}`)
        const { url } = yield* Server
        const life = yield* Life.make(url, "matrix", `matrix ${Settings.seed}`)
        yield* Life.pay(life, 60)
        const problems: Array<string> = []
        const chosen = yield* cases(life)
        const killedAt = new Set<string>()
        for (const fault of chosen) {
          const found = yield* struck(life, fault)
          if (found.isKilled) killedAt.add(fault.step)
          problems.push(...found.problems)
        }
        yield* Console.log(`matrix of sources: ${chosen.length} kills, ${life.drop.puts.length} files`)
        expect(problems).toEqual([])
        // How often a step is passed depends on what happened; among all its kills one must have struck.
        const spared = Settings.isSourcesFull ? chosen.filter(({ step }) => !killedAt.has(step)) : []
        expect(spared).toEqual([])
      }),
    Settings.isSourcesFull ? 1_800_000 : 300_000
  )

  it.effect(
    "a source that fails does not stop the others, the ingest ends with an error, and status says which and why",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const life = yield* Life.make(url, "failing", `failing ${Settings.seed}`)
        const { drop, local, stand } = life
        yield* Life.trade(life, 0)
        for (let file = 0; file < 12; file++) yield* drop.act(life.dice, life.nowMs)
        yield* Life.settle(life)
        const judge = Effect.map(SourcesOracle.judge(stand, local.world, drop.puts), ({ problems }) => problems)

        const refused = { ...stand, stripe: { ...stand.stripe, apiKey: "sk_test_wrong" } }
        const ended = yield* SourcesProcess.run(refused)
        expect(ended.code).toBe(1)
        expect(ended.said).toMatch(/stripe/)
        expect(yield* judge).toEqual([])
        expect(yield* failing(refused)).toEqual({ shop: null, stripe: expect.stringMatching(/key/i), partners: null })

        const absent = { ...stand, stripe: { ...stand.stripe, apiKey: "" } }
        expect((yield* SourcesProcess.run(absent)).code).toBe(1)
        expect((yield* failing(absent))["stripe"]).toMatch(/key is not set/)

        yield* Life.pay(life, 30)
        yield* Life.trade(life, 1)
        yield* Life.settle(life)
        renameSync(stand.drop, `${stand.drop}-away`)
        const without = yield* SourcesProcess.run(stand)
        expect(without.code).toBe(1)
        renameSync(`${stand.drop}-away`, stand.drop)
        expect(yield* judge).toEqual([])
        expect(yield* failing(stand)).toEqual({
          shop: null,
          stripe: null,
          partners: expect.stringMatching(/drop folder/)
        })

        yield* SourcesProcess.catchUp(stand)
        expect(yield* failing(stand)).toEqual({ shop: null, stripe: null, partners: null })
      }),
    300_000
  )

  it.effect(
    "while Stripe does not answer the others go on, and status says so",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const life = yield* Life.make(url, "down", `down ${Settings.seed}`)
        const { drop, local, stand } = life
        yield* Life.trade(life, 0)
        for (let file = 0; file < 6; file++) yield* drop.act(life.dice, life.nowMs)
        yield* Life.settle(life)
        const down = { ...stand, stripe: { ...stand.stripe, endpoint: "http://127.0.0.1:9" } }
        const { kill } = yield* SourcesProcess.start(down, { untilCaughtUp: true })
        const isKnown = Effect.map(Status.status(SourcesStand.project(down)), ({ sources }) =>
          sources.every(({ failing, log, source }) =>
            source === "stripe" ? failing !== null : log !== null && log.behind === 0
          )
        )
        yield* Effect.repeat(
          Effect.orElseSucceed(isKnown, () => false),
          {
            until: (known) => known,
            schedule: Schedule.spaced("500 millis")
          }
        ).pipe(Effect.timeout("200 seconds"))
        expect(yield* failing(down)).toEqual({ shop: null, stripe: expect.stringMatching(/stripe/i), partners: null })
        yield* kill
        yield* SourcesProcess.catchUp(stand)
        expect((yield* SourcesOracle.judge(stand, local.world, drop.puts)).problems).toEqual([])
      }),
    300_000
  )
})

/** Why each source does not go on, as status tells. */
const failing = (stand: SourcesStand.SourcesStand) =>
  Effect.map(Status.status(SourcesStand.project(stand)), ({ sources }) =>
    Object.fromEntries(sources.map(({ failing, source }) => [source, failing]))
  )

/** Cases of a sample. */
const sample = 3

/** The first passing of every failpoint of the sources, and a later one. */
const cases = (life: Life.Life) =>
  Effect.promise(async (): Promise<ReadonlyArray<Fault>> => {
    await Promise.all([
      import("@northstar/connectors/stripe/Source"),
      import("@northstar/connectors/files/FilesSource")
    ])
    const steps = Failpoint.declared().filter((name) => /^(stripe|files|discovery)\./.test(name))
    if (Settings.isSourcesFull)
      return steps.flatMap((step) => [1, 2 + life.dice.below(3)].map((nth) => ({ step, nth })))
    // A page of the discovery log takes hundreds of files.
    const some = steps.filter((step) => step !== "discovery.page.created")
    return Array.from({ length: sample }, () => ({ step: life.dice.pick(some), nth: 1 }))
  })

/** Deliveries whose entries make a page of the discovery log. */
const pageEntries = 512

/** Work for every failpoint, a kill at one of them, and what is wrong when another ingest has gone on from there. */
const struck = (life: Life.Life, fault: Fault) =>
  Effect.gen(function* () {
    const { dice, drop, local, nowMs, stand } = life
    const label = `killed at ${fault.step}:${fault.nth}`
    yield* Life.pay(life, 15)
    for (let file = 0; file < 5; file++) yield* drop.act(dice, nowMs)
    drop.put(SourcesFile.empty(`broken_${drop.puts.length}`, true), nowMs() - 9000)
    drop.put(SourcesFile.stock(dice, nowMs()), nowMs() - 8000)
    const files = fault.step === "discovery.page.created" && fault.nth === 1 ? pageEntries : 1
    for (let file = 0; file < files; file++) {
      drop.put(SourcesFile.empty(`empty_${drop.puts.length}`, false), nowMs() - 7000)
    }
    const { code, said } = yield* SourcesProcess.run(stand, fault)
    const isFailed = code !== undefined && code !== 0
    yield* Life.settle(life)
    yield* SourcesProcess.catchUp(stand)
    const judged = yield* SourcesOracle.judge(stand, local.world, drop.puts)
    const problems = [...(isFailed ? [`it failed: ${said}`] : []), ...judged.problems]
    return { isKilled: code === undefined, problems: problems.map((problem) => `${label}: ${problem}`) }
  })

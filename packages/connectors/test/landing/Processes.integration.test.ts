import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, statSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CephRgw from "../../src/local/CephRgw.ts"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import { temporaryFolder } from "./Stores.ts"

/** Runs a TypeScript file of this folder as a process of its own. */
const start = (file: string, ...args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, ["--conditions=northstar-source", fileURLToPath(new URL(file, import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })

/** The lines that a process prints until it ends. */
const lines = (child: ChildProcess) =>
  Effect.promise(async () => {
    const all: Array<string> = []
    if (child.stdout !== null) for await (const line of createInterface({ input: child.stdout })) all.push(line)
    return all
  })

it.live("of racing processes exactly one creates an object", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const racers = Array.from({ length: 3 }, () => start("racer.ts", folder, "60"))
    const wins = yield* Effect.forEach(racers, lines, { concurrency: "unbounded" })
    const numbers = wins
      .flat()
      .map(Number)
      .toSorted((left, right) => left - right)
    assert.deepStrictEqual(
      numbers,
      Array.from({ length: 60 }, (_, n) => n)
    )
  })
)

it.live("a process killed while it writes leaves whole objects only, and the next one tidies up", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    for (let round = 1; round <= 4; round++) {
      const child = start("racer.ts", folder, "100000")
      yield* Effect.promise(async () => {
        // The first line says that it is at work; each round kills it a little later.
        if (child.stdout === null) return
        let seen = 0
        for await (const _ of createInterface({ input: child.stdout })) if (++seen === round * 7) child.kill("SIGKILL")
      })
      const sizes = readdirSync(join(folder, "race")).map((name) => statSync(join(folder, "race", name)).size)
      assert.isTrue(sizes.length > 0 && sizes.every((size) => size === 65_536))
    }
    yield* Effect.void.pipe(Effect.provide(FolderStore.layer(folder)))
    assert.deepStrictEqual(readdirSync(join(folder, ".temporary")), [])
  })
)

const isAvailable = await Effect.runPromise(CephRgw.available)

it.live.skipIf(!isAvailable)("the local S3 server dies with its process, SIGKILL included", () =>
  Effect.gen(function* () {
    const child = start("gateway.ts")
    const endpoint = yield* Effect.promise(async () => {
      if (child.stdout === null) return ""
      for await (const line of createInterface({ input: child.stdout })) return line
      return ""
    })
    assert.strictEqual((yield* Effect.promise(() => fetch(endpoint))).status, 200)
    child.kill("SIGKILL")
    const isGone = Effect.promise(() =>
      fetch(endpoint).then(
        () => false,
        () => true
      )
    )
    yield* Effect.repeat(Effect.delay(isGone, "50 millis"), { until: (gone) => gone, times: 100 })
    assert.isTrue(yield* isGone)
  })
)

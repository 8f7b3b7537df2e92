import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as FileContract from "../../src/files/FileContract.ts"
import * as Ingest from "../../src/project/Ingest.ts"
import * as Project from "../../src/project/Project.ts"

/** A project of two partners, `north` and `south`, each with a file in its drop folder. */
const partners = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-ingest-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const drop = (name: string) => {
    const file = join(root, name, "in", "a.csv")
    mkdirSync(join(root, name, "in"), { recursive: true })
    writeFileSync(file, "id,status\nA,sent\n")
    utimesSync(file, 1_795_428_000, 1_795_428_000)
    const table = Table.make(`parcels_${name}`, { key: ["id"], columns: { id: Column.text, status: Column.text } })
    const contracts = [FileContract.make({ table, prefix: "in/", zone: "UTC" })]
    return Project.files({ name, from: Project.folder(join(root, name)), contracts, pollSeconds: 1 })
  }
  return Project.define({
    name: "partners",
    sources: [drop("north"), drop("south")],
    landing: Project.folder(join(root, "landing")),
    warehouse: Project.duckdb(join(root, "warehouse.duckdb"))
  })
})

for (const stage of ["capture", "load"] as const) {
  it.live(
    `a defect in one source's ${stage} ends an ingest of several sources, and is not taken for a failure that passes`,
    () =>
      Effect.gen(function* () {
        const project = yield* partners
        const onProgress = (progress: Ingest.Progress) => {
          if (progress.source === "north" && progress.stage === stage) return Effect.die("a broken invariant")
          return Effect.void
        }
        const ended = yield* Ingest.ingest(project, { untilCaughtUp: false, onProgress }).pipe(
          Effect.exit,
          Effect.timeoutOption("20 seconds")
        )
        const exit = Option.getOrThrowWith(ended, () => "it went on without the lane that broke")
        const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
        assert.strictEqual(Cause.squash(cause), "a broken invariant")
      }).pipe(Effect.scoped),
    60_000
  )
}

import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Clock, Console, Effect } from "effect"
import * as Oracle from "./Oracle.ts"
import * as Process from "./Process.ts"
import type { SourcesTask } from "./SourcesStand.ts"
import * as SourcesStand from "./SourcesStand.ts"
import * as SourcesLargeFile from "./SourcesLargeFile.ts"
import * as Stand from "./Stand.ts"

/** Size of the file; the full proof takes 1024. */
const fileMb = Number(process.env["NORTHSTAR_FILE_MB"] ?? 24)

/** What DuckDB may use. Capture needs as much again, and what a statement needs beside its buffers is not counted. */
const memoryLimit = "192MB"

/** By how much the process may grow. */
const growthMbMax = 512

it.live(
  "a partner file of any size is captured and loaded in bounded memory, and every row of it is accounted for",
  () =>
    Effect.gen(function* () {
      const folder = yield* Stand.folder
      const drop = yield* Stand.folder
      const nobody = { endpoint: "http://127.0.0.1:9", apiKey: "sk_test_none" }
      const stand: SourcesStand.SourcesStand = {
        url: "postgres://127.0.0.1:9/none",
        folder,
        drop,
        stripe: nobody,
        memoryLimit
      }
      SourcesStand.setClock(stand, 0)
      const nowMs = yield* Clock.currentTimeMillis
      const written = SourcesLargeFile.write(drop, fileMb * 1024 * 1024, nowMs - 60_000)
      const startMs = yield* Clock.currentTimeMillis
      const task: SourcesTask = { stand, run: { untilCaughtUp: true, sources: ["partners"] } }
      const { code, output, said } = yield* Process.launch(task, undefined, "SourcesProgram.ts").ended
      expect([code, code === 0 ? "" : said]).toEqual([0, ""])
      const { maxKb, startKb } = memoryOf(output)
      const growthMb = Math.round((maxKb - startKb) / 1024)
      const seconds = Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000)
      yield* Console.log(
        `${fileMb} MB, ${written.rows} rows in ${seconds} s: the process grew by ${growthMb} MB to ${Math.round(maxKb / 1024)} MB`
      )

      const [counts] = yield* Oracle.readWarehouse(
        stand,
        `SELECT (SELECT count(*) FROM curated.fct_shipment)::VARCHAR, (SELECT sum(cost_minor) FROM curated.fct_shipment)::VARCHAR,
          (SELECT count(*) FROM northstar.quarantine)::VARCHAR, (SELECT count(DISTINCT version) FROM northstar.quarantine)::VARCHAR,
          (SELECT count(*) FROM curated.fct_shipment__history)::VARCHAR`
      )
      const shown = String(written.rows - written.aside)
      expect(counts).toEqual([shown, String(written.cost), String(written.aside), String(written.aside), shown])
      const [ledger] = yield* Oracle.readWarehouse(
        stand,
        "SELECT sum(rows_in)::VARCHAR, sum(published)::VARCHAR, sum(superseded)::VARCHAR, sum(quarantined)::VARCHAR FROM northstar.batches"
      )
      expect(ledger).toEqual([String(written.rows), shown, "0", String(written.aside)])
      const [accepted = ""] = globSync("proof/partners/accepted/*.json", { cwd: Stand.landing(stand) })
      expect(JSON.parse(readFileSync(join(Stand.landing(stand), accepted), "utf8"))).toMatchObject({
        rows: written.rows
      })
      expect(growthMb).toBeLessThanOrEqual(growthMbMax)
    }),
  Math.max(300_000, fileMb * 1500)
)

// Sound: that is what the program writes.
const memoryOf = (output: string) =>
  JSON.parse(/^memory (.*)$/m.exec(output)?.[1] ?? "{}") as { readonly startKb: number; readonly maxKb: number }

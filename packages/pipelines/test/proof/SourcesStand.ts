import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Project from "@northstar/connectors/project/Project"
import { Effect, Schema, type Scope } from "effect"
import * as Partners from "../../src/Partners.ts"
import * as Payments from "../../src/Payments.ts"
import * as Stand from "./Stand.ts"

/** Where a project of three sources has them, and the folder that holds everything it writes. */
export const SourcesStand = Schema.Struct({
  /** Of the shop's database. */
  url: Schema.String,
  folder: Schema.String,
  stripe: Schema.Struct({ endpoint: Schema.String, apiKey: Schema.String }),
  /** The drop folder, outside of `folder`. */
  drop: Schema.String,
  /** Its contracts are those of the proof about card data, under this policy. */
  cards: Schema.optionalKey(Schema.Literals(["tokenise", "quarantine"])),
  /** Of the warehouse. */
  memoryLimit: Schema.optionalKey(Schema.String)
})
export type SourcesStand = typeof SourcesStand.Type

/** What a process under proof does, and where. */
export const SourcesTask = Schema.Struct({
  stand: SourcesStand,
  run: Schema.Struct({
    untilCaughtUp: Schema.Boolean,
    sources: Schema.optionalKey(Schema.Array(Schema.String))
  })
})
export type SourcesTask = typeof SourcesTask.Type

/** The project on a stand: the shop, its payments, and what its partners report. */
export const project = (stand: SourcesStand): Project.Project =>
  Project.define({
    name: "proof",
    sources: [
      Stand.shop(stand).source,
      Project.stripe({ ...stand.stripe, pollSeconds: 1, tables: Payments.all }),
      Project.files({
        name: "partners",
        from: Project.folder(stand.drop),
        contracts: Partners.all,
        pollSeconds: 1
      })
    ],
    landing: Project.folder(Stand.landing(stand)),
    warehouse: Project.duckdb(
      Stand.warehouse(stand),
      stand.memoryLimit === undefined ? {} : { memoryLimit: stand.memoryLimit }
    )
  })

/** A stand on a server, with the shop's empty tables published and an empty drop folder. */
export const make = (
  serverUrl: string,
  database: string,
  stripe: SourcesStand["stripe"]
): Effect.Effect<SourcesStand, never, Scope.Scope> =>
  Effect.gen(function* () {
    const shop = yield* Stand.make(serverUrl, database)
    yield* Stand.publish(shop)
    const drop = yield* Stand.folder
    for (const { keys } of Partners.all) mkdirSync(join(drop, keys.prefix), { recursive: true })
    const stand = { ...shop, stripe, drop }
    setClock(stand, 0)
    return stand
  })

/** The file that says how many milliseconds the clocks of a stand's processes are ahead of the machine's. */
export const clockFile = ({ folder }: Pick<SourcesStand, "folder">): string => join(folder, "clock")

/** Sets the clocks of the stand's processes, those at work included. */
export const setClock = (stand: Pick<SourcesStand, "folder">, aheadMs: number): void => {
  const file = clockFile(stand)
  writeFileSync(`${file}.new`, String(Math.round(aheadMs)))
  renameSync(`${file}.new`, file)
}

import { Effect } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Discovery from "../files/Discovery.ts"
import * as FilesSource from "../files/FilesSource.ts"
import { type Feed, feeds, type FilesConfig, type Project } from "./Project.ts"
import * as Services from "./Services.ts"

/** A delivery of which nothing was captured. */
export interface RefusedFile {
  readonly source: string
  /** Its number in the discovery log. */
  readonly sequence: string
  /** Key of the object in the drop folder; card numbers in it are masked. */
  readonly key: string
  readonly detail: string
  readonly action: string
  readonly refusedAtMs: number
  /** A later delivery of the same file has come. */
  readonly isSuperseded: boolean
}

/** Deliveries that were refused, of all drop folders, oldest first. */
export const refused = Effect.fn("Files.refused")(function* (project: Project) {
  return yield* Effect.forEach(drops(project), refusedOf).pipe(
    Effect.map((all) => all.flat()),
    Effect.provide(Services.landing(project.landing))
  )
})

/** Those of one source. */
export const refusedOf = (feed: Feed<FilesConfig>) =>
  Effect.map(FilesSource.refused(folderOf(feed)), (all) =>
    all.map(({ action, detail, isSuperseded, key, refusedAtMs, sequence }): RefusedFile => ({
      source: feed.source.name,
      sequence: String(BigInt(sequence)),
      key,
      detail,
      action,
      refusedAtMs,
      isSuperseded
    }))
  )

/** Has a refused delivery read once more by the next ingest, under the contract as it is now. Answers its new number. */
export const again = Effect.fn("Files.again")(function* (project: Project, name: string | undefined, sequence: bigint) {
  const all = drops(project)
  const feed = name === undefined ? all[0] : all.find(({ source }) => source.name === name)
  if (feed === undefined) {
    const detail = name === undefined ? "the project has no drop folder" : `the project has no drop folder ${name}`
    return yield* new ConnectorError({
      connector: "files",
      operation: "read again",
      detail,
      action: `Its drop folders are ${all.map(({ source }) => source.name).join(", ") || "none"}`,
      reason: new Misconfigured({ detail })
    })
  }
  const number = yield* FilesSource.again(folderOf(feed), sequence).pipe(
    Effect.provide(Services.landing(project.landing))
  )
  return { source: feed.source.name, sequence: String(number) }
})

const folderOf = ({ log, source }: Feed<FilesConfig>): string => Discovery.folder(log, source.epoch)

/** The project's drop folders. */
export const drops = (project: Project): ReadonlyArray<Feed<FilesConfig>> =>
  feeds(project).flatMap((feed) => (feed.source.kind === "files" ? [{ ...feed, source: feed.source }] : []))

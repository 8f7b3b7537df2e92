import { Errors, Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Backfill from "@northstar/connectors/project/Backfill"
import * as Load from "@northstar/connectors/project/Load"
import type { Feed, PostgresFeed } from "@northstar/connectors/project/Project"
import * as Resnapshot from "@northstar/connectors/project/Resnapshot"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { count, plural, render as table } from "../TextTable.ts"

const instant = Flags.custom<number>({
  parse: async (text) => {
    const ms = Date.parse(text)
    if (Number.isNaN(ms)) throw new Errors.CLIError(`${text} is not an instant such as 2026-11-23T06:00:00Z`)
    return ms
  },
  helpValue: "<instant>"
})

export default class BackfillCommand extends NorthstarCommand {
  static override summary =
    "Read a closed range of the landing log, or whole tables of the source, again; without --apply, say what that would read."
  static override description =
    "A range runs on its own key beside ingest and never reads the source: what is known already is superseded, what was " +
    "missing or taken back is published. With --snapshot the running ingest reads the tables again, in throttled chunks " +
    "along with the stream."
  static override examples = [
    "<%= config.bin %> <%= command.id %> --since 2026-11-01T00:00:00Z",
    "<%= config.bin %> <%= command.id %> --after 41 --through 42 --apply",
    "<%= config.bin %> <%= command.id %> --snapshot orders --snapshot order_lines --apply"
  ]
  static override flags = {
    source: Flags.string({
      summary: "Source whose log is read; default the first of the project.",
      helpValue: "<name>"
    }),
    after: Flags.string({
      summary: "Sequence of the log behind which to start.",
      helpValue: "<n>",
      exclusive: ["since"]
    }),
    through: Flags.string({ summary: "Last sequence of the log.", helpValue: "<n>", exclusive: ["until"] }),
    since: instant({ summary: "Records written from here on." }),
    until: instant({ summary: "Records written before." }),
    id: Flags.string({ summary: "Name of the backfill: a killed one goes on under its name.", helpValue: "<name>" }),
    snapshot: Flags.string({
      summary: "Read this table again from the source; may be repeated.",
      multiple: true,
      helpValue: "<table>",
      exclusive: ["source", "after", "through", "since", "until", "id"]
    }),
    apply: Flags.boolean({ summary: "Do it.", default: false })
  }

  async run() {
    const { flags } = await this.parse(BackfillCommand)
    const { snapshot } = flags
    if (snapshot !== undefined) {
      const program = Effect.flatMap(Load.postgresWithUrl(flags.config), (feed) =>
        this.resnapshot(feed, snapshot, flags.apply)
      )
      return this.present(Output.Backfill, program, render)
    }
    const range = {
      ...(flags.after === undefined ? {} : { after: flags.after }),
      ...(flags.through === undefined ? {} : { through: flags.through }),
      ...(flags.since === undefined ? {} : { sinceMs: flags.since }),
      ...(flags.until === undefined ? {} : { untilMs: flags.until })
    }
    const id = flags.id === undefined ? {} : { id: flags.id }
    const program = Effect.flatMap(Load.feed(flags.config, flags.source), (feed) =>
      this.backfill(feed, range, id, flags.apply)
    )
    return this.present(Output.Backfill, program, render)
  }

  private backfill(feed: Feed, range: Backfill.LogRange, id: { readonly id?: string }, isApplied: boolean) {
    return Effect.gen({ self: this }, function* () {
      const plan = yield* Backfill.plan(feed, range)
      if (!isApplied) return { plan, done: null, snapshot: null }
      const done = yield* Backfill.fromLog(feed, {
        ...id,
        after: plan.after,
        through: plan.through,
        onProgress: ({ rows, through }) =>
          this.progress.update(`read through ${through} of ${plan.through}, loaded ${plural(rows, "change")}`)
      })
      return { plan, done, snapshot: null }
    })
  }

  private resnapshot(feed: PostgresFeed, tables: ReadonlyArray<string>, isApplied: boolean) {
    return Effect.gen({ self: this }, function* () {
      yield* Resnapshot.sources(feed, tables)
      if (!isApplied) return { plan: null, done: null, snapshot: { tables, id: null, done: false } }
      const snapshot = yield* Resnapshot.resnapshot(feed, {
        tables,
        onProgress: ({ chunks }) => this.progress.update(`waiting for the snapshot: ${plural(chunks, "chunk")} loaded`)
      })
      return { plan: null, done: null, snapshot: { tables, ...snapshot } }
    })
  }
}

const renderSnapshot = ({ done, id, tables }: NonNullable<(typeof Output.Backfill.Type)["snapshot"]>): string => {
  const names = tables.join(", ")
  if (id === null) {
    return `The ingest that runs would read ${names} again, whole, from the source (nothing has been changed).\n\nNext: the same command with --apply`
  }
  return done
    ? `Snapshot ${id} of ${names} is read and loaded.`
    : `Snapshot ${id} of ${names} is asked for, and nobody ingests now.\n\nNext: northstar ingest takes it`
}

const render = ({ done, plan, snapshot }: typeof Output.Backfill.Type): string => {
  if (snapshot !== null) return renderSnapshot(snapshot)
  if (plan === null) return ""
  const tables = table(
    ["table", "changes", "bytes"],
    plan.tables.map(({ bytes, rows, table }) => [table, rows, bytes])
  )
  const what = `${plural(plan.records, "record")} of the landing log after ${plan.after} and through ${plan.through}`
  return done === null
    ? [
        `A backfill would read ${what} (nothing has been changed).`,
        "",
        tables,
        "",
        "Next: the same command with --apply"
      ].join("\n")
    : [
        `Backfill ${done.id} read ${what}.`,
        "",
        tables,
        "",
        `Loaded ${count(done.summary.rows)} changes; northstar status shows how many of them were news.`
      ].join("\n")
}

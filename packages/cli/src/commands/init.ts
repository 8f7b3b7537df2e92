import { Flags } from "@oclif/core"
import { Redacted } from "effect"
import * as Init from "@northstar/connectors/project/Init"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { plural } from "../TextTable.ts"

export default class InitCommand extends NorthstarCommand {
  static override summary = "Write a configuration for a PostgreSQL database and prepare the database."
  static override description =
    "Every table with a primary key is captured; the others are named, with what they lack. Publication, slot and rights " +
    "are created when the role of the URL may, else printed as SQL for an owner. The URL is not written down: it is read " +
    `from ${Init.urlVariable}.`
  static override examples = [
    "<%= config.bin %> <%= command.id %> --postgres postgres://user:password@host:5432/database",
    `${Init.urlVariable}=postgres://… <%= config.bin %> <%= command.id %>`
  ]
  static override flags = {
    postgres: Flags.string({
      summary: "URL of the database.",
      helpValue: "<url>",
      env: Init.urlVariable,
      noCacheDefault: true,
      required: true
    }),
    apply: Flags.boolean({
      summary: "Prepare the database too. Default: when the role owns the tables and may replicate.",
      allowNo: true
    }),
    force: Flags.boolean({ summary: "Replace the configuration if there is one.", default: false })
  }

  async run() {
    const { flags } = await this.parse(InitCommand)
    const program = Init.init({
      url: Redacted.make(flags.postgres),
      file: flags.config,
      force: flags.force,
      apply: flags.apply
    })
    return this.present(Output.Init, program, render)
  }
}

const render = (done: Init.Initialised): string =>
  [
    `Wrote ${done.file}: ${plural(done.tables.length, "table")} of ${done.project}.`,
    ...done.left.flatMap(({ action, problem }) => [`Left out: ${problem}.`, `          ${action}`]),
    ...{
      applied: ["The database is prepared: publication, slot and rights are in place."],
      nothing: ["The database was prepared before."],
      pending: [
        "The database is not prepared yet. Its owner runs this, or northstar source apply --owner-url <url>:",
        "",
        done.sql
      ]
    }[done.setup],
    "",
    "Next:",
    ...(process.env[Init.urlVariable] === undefined
      ? [`  export ${Init.urlVariable}='…'    # the URL you gave here`]
      : []),
    "  northstar ingest --until-caught-up"
  ].join("\n")

import { Effect } from "effect"
import * as Files from "@northstar/connectors/project/Files"
import * as Load from "@northstar/connectors/project/Load"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { instant, render as table } from "../../TextTable.ts"

export default class FilesListCommand extends NorthstarCommand {
  static override summary = "List the partner files that were refused, and why."
  static override description =
    "A file that cannot be read is refused whole and stops no other. Once the partner has sent a correct one, or the contract is mended, nothing of it is missing."

  async run() {
    const { flags } = await this.parse(FilesListCommand)
    const program = Effect.map(Effect.flatMap(Load.project(flags.config), Files.refused), (files) => ({ files }))
    return this.present(Output.FilesList, program, render)
  }
}

const render = ({ files }: { readonly files: ReadonlyArray<Files.RefusedFile> }): string => {
  if (files.length === 0) return "No file is refused."
  return [
    table(
      ["source", "number", "refused", "file", ""],
      files.map(({ isSuperseded, key, refusedAtMs, sequence, source }) => [
        source,
        sequence,
        instant(refusedAtMs),
        key,
        isSuperseded ? "sent again since" : ""
      ])
    ),
    ...files.flatMap(({ action, detail, isSuperseded, sequence }) =>
      isSuperseded ? [] : ["", `${sequence}: ${detail}.`, `next:  ${action}`]
    )
  ].join("\n")
}

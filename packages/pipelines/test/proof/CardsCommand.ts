import { join } from "node:path"
import { pathToFileURL } from "node:url"

/** Runs the command of the tool whose module the first argument names, from its source, with the arguments behind it. */
const [name = "", ...args] = process.argv.slice(2)
const tool = join(import.meta.dirname, "../../../cli")
// Sound: every module of that folder exports its command.
const { default: command } = (await import(pathToFileURL(join(tool, `src/commands/${name}.ts`)).href)) as {
  readonly default: { readonly run: (args: ReadonlyArray<string>, root: string) => Promise<unknown> }
}
await command.run(args, tool)

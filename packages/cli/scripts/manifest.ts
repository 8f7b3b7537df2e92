/* What the build adds to the compiled commands, so that starting does not have to load them: oclif's manifest, and the help of the whole tool. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

// Wide enough for every summary on one line; oclif reads it when it loads.
process.env["OCLIF_COLUMNS"] = "120"
process.env["NO_COLOR"] = "1"
const { Config, Plugin } = await import("@oclif/core")

const root = fileURLToPath(new URL("..", import.meta.url))
const plugin = new Plugin({ root, type: "core", ignoreManifest: true, errorOnManifestCreate: true })
await plugin.load()
writeFileSync(`${root}/oclif.manifest.json`, `${JSON.stringify(plugin.manifest, null, 2)}\n`)

const { default: NorthstarHelp } = await import("../dist/Help.js")
const text: Array<string> = []
class Recorded extends NorthstarHelp {
  protected override log(...lines: Array<string>): void {
    text.push(...lines)
  }
}
await new Recorded(await Config.load(root)).showHelp([])
writeFileSync(`${root}/dist/help.txt`, `${text.join("\n").trimEnd()}\n`)

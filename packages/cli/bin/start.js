import { existsSync, readFileSync } from "node:fs"
import { enableCompileCache } from "node:module"

const isRootHelp = (args) => args.length === 0 || (args.length === 1 && ["--help", "-h", "help"].includes(args[0]))

/** The help of the whole tool is a file made by the build: printing it loads nothing. */
export const start = async (args) => {
  const help = new URL("../dist/help.txt", import.meta.url)
  const main = new URL("../dist/Main.js", import.meta.url)
  if (!existsSync(main)) {
    process.stderr.write("error: northstar is not built\nnext:  Run npm run build.\n")
    process.exitCode = 4
    return
  }
  if (isRootHelp(args) && existsSync(help)) {
    process.stdout.write(readFileSync(help))
    return
  }
  enableCompileCache()
  await (await import(main.href)).main(args)
}

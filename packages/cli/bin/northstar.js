#!/usr/bin/env node
// Plain JavaScript that any Node of the last ten years can read: an old one must get a sentence, not a syntax error.
const [major, minor] = process.versions.node.split(".").map(Number)
const args = process.argv.slice(2)

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `error: northstar needs Node 22.19 or newer, this is ${process.version}\n` +
      "next:  In its repository use npm run northstar -- …, which brings its own Node; elsewhere install a newer Node.\n"
  )
  process.exitCode = 4
} else {
  if (args.includes("--no-color")) process.env["NO_COLOR"] = "1"
  void import("./start.js").then(({ start }) => start(args))
}

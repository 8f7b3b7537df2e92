import { readdirSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import type { Command } from "@oclif/core"
import { NorthstarCommand } from "../src/NorthstarCommand.ts"
import * as Output from "../src/Output.ts"

const commands = new URL("../src/commands/", import.meta.url)

const ids = readdirSync(commands, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length))
  .toSorted()

const load = async (id: string): Promise<Command.Class> =>
  ((await import(/* @vite-ignore */ new URL(`${id}.ts`, commands).pathname)) as { readonly default: Command.Class })
    .default

const describe = (id: string, command: Command.Class): string => {
  const args = Object.entries(command.args).map(([name, { required }]) =>
    required === true ? ` <${name}>` : ` [${name}]`
  )
  const flags = Object.entries({ ...command.baseFlags, ...command.flags })
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, flag]) => {
      const value = flag.type === "option" ? `=${flag.multiple === true ? "…" : "·"}` : ""
      return `  --${name}${value}${flag.char === undefined ? "" : ` -${flag.char}`}${flag.required === true ? " required" : ""}`
    })
  return [`${id.replace("/", " ")}${args.join("")}`, ...flags].join("\n")
}

it("the command surface changes only on purpose", async () => {
  const lines = await Promise.all(ids.map(async (id) => describe(id, await load(id))))
  expect(lines.join("\n")).toMatchSnapshot()
})

it("every command prints JSON, has a summary, and shares the frame", async () => {
  for (const id of ids) {
    const command = await load(id)
    expect(command.prototype).toBeInstanceOf(NorthstarCommand)
    expect(command.enableJsonFlag).toBe(true)
    expect(command.summary?.endsWith(".")).toBe(true)
  }
})

it("every command has a schema of its JSON output", () => {
  const names = ids.map((id) =>
    id.startsWith("source/") ? "SourcePlan" : id.replace(/(?:^|\/)(.)/g, (_, letter: string) => letter.toUpperCase())
  )
  expect(Object.keys(Output).toSorted()).toEqual([...new Set([...names, "Failed"])].toSorted())
})

import { Clock, Effect } from "effect"
import { money } from "./Report.ts"
import type { Reconciled, Report } from "./Report.ts"

/** What a demo says while it runs. Times are milliseconds since its start. */
export type StoryEvent =
  | { readonly _tag: "Chapter"; readonly title: string }
  | {
      readonly _tag: "Step"
      readonly atMs: number
      /** `bad` is what was done to the pipeline, `good` what it made of it. */
      readonly tone: Tone
      readonly text: string
      /** Why it matters, in a sentence. */
      readonly why?: string
    }
  | { readonly _tag: "Progress"; readonly atMs: number; readonly text: string }

export type Tone = "good" | "bad" | "plain"

/** Tells a demo as it goes, and remembers the steps for the report. */
export interface Story {
  readonly startedAtMs: number
  readonly chapter: (title: string) => Effect.Effect<void>
  readonly step: (tone: Tone, text: string, why?: string) => Effect.Effect<void>
  /** Says how far it is; not remembered. */
  readonly progress: (text: string) => Effect.Effect<void>
  readonly steps: Effect.Effect<Report["events"]>
}

/** A story that begins now and is told to `onEvent`. */
export const begin = (onEvent: (event: StoryEvent) => Effect.Effect<void>): Effect.Effect<Story> =>
  Effect.map(Clock.currentTimeMillis, (startedAtMs) => {
    const steps: Array<Report["events"][number]> = []
    const at = Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs - startedAtMs)
    return {
      startedAtMs,
      chapter: (title) => onEvent({ _tag: "Chapter", title }),
      step: (tone, text, why) =>
        Effect.flatMap(at, (atMs) => {
          steps.push({ atMs: startedAtMs + atMs, tone, text })
          return onEvent({ _tag: "Step", atMs, tone, text, ...(why === undefined ? {} : { why }) })
        }),
      progress: (text) => Effect.flatMap(at, (atMs) => onEvent({ _tag: "Progress", atMs, text })),
      steps: Effect.sync(() => [...steps])
    }
  })

const marks: Readonly<Record<Tone, string>> = { good: "✓", bad: "✗", plain: "·" }

/** Columns of a terminal that lines are wrapped to. */
const widthMax = 100

const indent = " ".repeat(12)

/** An event as text for a terminal: one or more lines without a last line break. */
export const line = (event: StoryEvent): string => {
  if (event._tag === "Chapter") return `\n${event.title}`
  const seconds = `${(event.atMs / 1000).toFixed(1)} s`.padStart(8)
  if (event._tag === "Progress") return `${seconds}    ${event.text}`
  const why = event.why === undefined ? "" : `\n${indent}${wrapped(event.why)}`
  return `${seconds}  ${marks[event.tone]} ${wrapped(event.text)}${why}`
}

/** Rows under headings, columns aligned; all but the first to the right. */
export const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => (row[at] ?? "").length)))
  const text = (row: ReadonlyArray<string>) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ")
      .trimEnd()
  return [heads, ...rows].map((row) => `  ${text(row)}`).join("\n")
}

/** Both sides of every table; of many currencies the shop's own. */
export const comparison = (tables: ReadonlyArray<Reconciled>): string => {
  const sums = (each: Reconciled, side: "sourceMinor" | "curatedMinor") =>
    each.money.length > 2
      ? each.money.flatMap((sum) => (sum.currency === "GBP" ? [money(sum[side], sum.currency)] : [])).join() + " …"
      : each.money.map((sum) => money(sum[side], sum.currency)).join(" ") || "–"
  return table(
    ["table", "source rows", "curated rows", "differing", "source sum", "curated sum"],
    tables.map((each) => [
      each.table,
      count(each.sourceRows),
      count(each.curatedRows),
      count(each.differing),
      sums(each, "sourceMinor"),
      sums(each, "curatedMinor")
    ])
  )
}

/** A number with its digits grouped. */
export const count = (value: number): string => value.toLocaleString("en-GB")

/** Milliseconds in the unit that fits. */
export const span = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

const wrapped = (text: string): string => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < widthMax - indent.length)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.join(`\n${indent}`)
}

import { createHash } from "node:crypto"
import { renameSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { Effect } from "effect"
import type { Dice } from "./SourcesDice.ts"
import { type Content, random } from "./SourcesFile.ts"

/** Something that was put into the drop folder, or taken out of it. */
export interface Put {
  readonly key: string
  /** SHA-256 of the file and of its totals; `undefined`: it was taken out. */
  readonly version: string | undefined
  readonly totals: string | undefined
  readonly modifiedMs: number
  readonly content: Content | undefined
  /** Nothing of it can be read, or the totals beside it are others than its own. */
  readonly isBroken: boolean
}

/** What the partners have done so far, oldest first. */
export class Drop {
  readonly puts: Array<Put> = []
  private readonly folder: string
  private readonly contents = new Map<string, Array<Content>>()
  private count = 0

  constructor(folder: string) {
    this.folder = folder
  }

  /**
   * A random delivery: a new file, new content in the place of an old one, the same content again, an older one again, a
   * file written in two steps, or one taken away. `clock`: Unix milliseconds.
   */
  act(dice: Dice, clock: () => number): Effect.Effect<void> {
    const known = [...this.contents.values()]
    if (known.length > 0 && dice.chance(0.02)) return Effect.sync(() => this.remove(dice.pick(known), clock()))
    if (known.length > 0 && dice.chance(0.2)) {
      // The same content again, or one of those before it.
      return Effect.sync(() => this.put(dice.pick(dice.pick(known)), this.timeOf(dice, clock())))
    }
    const content = random(dice, clock())
    if (dice.chance(0.15)) return this.putSlowly(content, clock)
    return Effect.sync(() => this.put(content, this.timeOf(dice, clock())))
  }

  /** Some files are put with the time at which they were made, days ago. No two have the same. */
  private timeOf(dice: Dice, nowMs: number): number {
    this.count += 1
    return nowMs - (dice.chance(0.5) ? 10_000 : dice.below(3 * 86_400_000) + 10_000) - this.count
  }

  put(content: Content, modifiedMs: number): void {
    const { bytes, key, totals } = content
    this.write(key, bytes, modifiedMs)
    if (totals !== undefined) {
      // Between the two the new file lies beside the totals of the old one.
      const before = this.puts.findLast((put) => put.key === key && put.version !== undefined)
      if (before?.totals !== undefined) this.note(content, modifiedMs, before.totals)
      this.write(`${key}.ok`, totals, modifiedMs)
    }
    this.note(content, modifiedMs, totals && sha256(totals))
  }

  /** Writes half of a file, and the rest a moment later: nobody may take the half. */
  private putSlowly(content: Content, clock: () => number): Effect.Effect<void> {
    const path = join(this.folder, content.key)
    return Effect.gen({ self: this }, function* () {
      if (content.totals !== undefined) rmSync(`${path}.ok`, { force: true })
      writeFileSync(path, content.bytes.subarray(0, content.bytes.length / 2))
      utimesSync(path, clock() / 1000, clock() / 1000)
      yield* Effect.sleep("300 millis")
      this.put(content, clock() - 1 - this.count++)
      // A half that was left there for good would be a file.
    }).pipe(Effect.uninterruptible)
  }

  private remove([content]: ReadonlyArray<Content>, nowMs: number): void {
    if (content === undefined) return
    rmSync(join(this.folder, content.key), { force: true })
    rmSync(join(this.folder, `${content.key}.ok`), { force: true })
    const { key } = content
    this.puts.push({
      key,
      version: undefined,
      totals: undefined,
      modifiedMs: nowMs,
      content: undefined,
      isBroken: false
    })
  }

  private note(content: Content, modifiedMs: number, totals: string | undefined): void {
    const { bytes, key, rows } = content
    const isBroken =
      content.totals === undefined ? content.isBroken : totals !== sha256(Buffer.from(`rows=${rows.length}\n`))
    this.puts.push({ key, version: sha256(bytes), totals, modifiedMs, content, isBroken })
    const known = this.contents.get(key) ?? []
    if (!known.includes(content)) this.contents.set(key, [...known, content])
  }

  private write(key: string, bytes: Uint8Array, modifiedMs: number): void {
    const path = join(this.folder, key)
    const hidden = join(dirname(path), `.${basename(path)}`)
    writeFileSync(hidden, bytes)
    utimesSync(hidden, modifiedMs / 1000, modifiedMs / 1000)
    renameSync(hidden, path)
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

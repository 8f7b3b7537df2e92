import { assert, it } from "@effect/vitest"

/** Repeatable chance: everything that a case does is drawn from it. */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** A whole number from 0 to before `count` (mulberry32). */
  below(count: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * count)
  }

  pick<A>(items: ReadonlyArray<A>): A {
    const item = items[this.below(items.length)]
    return item === undefined ? assert.fail("nothing to pick from") : item
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }

  /** The bytes with one to three things wrong: cut short, bits flipped, garbage put in, a part left out or twice. */
  damage(bytes: Uint8Array): Buffer {
    let damaged = Buffer.from(bytes)
    for (let wounds = 1 + this.below(3); wounds > 0; wounds--) damaged = this.wound(damaged)
    return damaged
  }

  private wound(bytes: Buffer): Buffer<ArrayBuffer> {
    const at = this.below(bytes.length + 1)
    const end = Math.min(bytes.length, at + 1 + this.below(16))
    const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)]
    switch (this.below(6)) {
      case 0:
        return Buffer.from(before)
      case 1:
        return Buffer.concat([before, this.bytes(1 + this.below(8)), part, after])
      case 2:
        return Buffer.concat([before, after])
      case 3:
        return Buffer.concat([before, part, part, after])
      case 4:
        return Buffer.concat([before, Buffer.alloc(part.length, this.pick([0x00, 0xff, 0x7f, 0x80])), after])
      default: {
        const flipped = Buffer.from(bytes)
        if (at < flipped.length) flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << this.below(8)), at)
        return flipped
      }
    }
  }
}

/** Cases of one fuzzer, at least `runs`; `NORTHSTAR_RUNS` raises the number. */
const runsOf = (runs: number): number => Math.max(runs, Number(process.env["NORTHSTAR_RUNS"] ?? 0))

/** No case takes as long as this, milliseconds, on the busiest machine: one that does is taken for a hang. */
const caseMsMax = 25_000

/**
 * A test of many cases, each of a seed of its own. `holds` throws where a case shows something wrong; the failure then
 * names the seed, and `NORTHSTAR_FUZZ=<seed>` repeats that case alone. `examples` are seeds that once showed something.
 */
export const fuzz = (
  name: string,
  options: { readonly runs: number; readonly examples?: ReadonlyArray<number> },
  holds: (dice: Dice) => void | Promise<void>
): void => {
  it(
    name,
    async () => {
      const only = process.env["NORTHSTAR_FUZZ"]
      const first = Math.floor(Math.random() * 0x1_0000_0000)
      const random = Array.from({ length: runsOf(options.runs) }, (_, run) => (first + run * 7919) >>> 0)
      for (const seed of only === undefined ? [...(options.examples ?? []), ...random] : [Number(only)]) {
        const beganMs = performance.now()
        try {
          await holds(new Dice(seed))
        } catch (error) {
          throw new Error(`NORTHSTAR_FUZZ=${seed} repeats it: ${String(error)}`, { cause: error })
        }
        assert.isBelow(performance.now() - beganMs, caseMsMax, `NORTHSTAR_FUZZ=${seed} takes too long`)
      }
    },
    Math.max(60_000, runsOf(options.runs) * 50)
  )
}

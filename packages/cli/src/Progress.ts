import { Clock, Effect, Ref } from "effect"

/** Says how far a program is: one line that changes on a terminal, a line now and then elsewhere. */
export interface Progress {
  /** Shows `text` unless something was shown a moment ago. */
  readonly update: (text: string) => Effect.Effect<void>
  /** Writes whole lines, above the changing one. */
  readonly note: (text: string) => void
  /** Removes the changing line, or writes the last text that was held back. */
  readonly end: Effect.Effect<void>
}

/** Milliseconds between two texts. */
const pauseMs = { terminal: 100, lines: 5000 }

const clearLine = "\r\u001B[2K"

/** Progress on `stream`; `silent` shows none of it but the notes. */
export const make = (stream: NodeJS.WriteStream, silent: boolean): Progress => {
  const isTerminal = stream.isTTY
  const state = Ref.makeUnsafe({ shownAtMs: Number.NEGATIVE_INFINITY, shown: "", held: "" })
  const show = (text: string) => {
    if (!isTerminal) stream.write(`${text}\n`)
    else stream.write(`${clearLine}${text.slice(0, Math.max(20, stream.columns - 1))}`)
  }
  return {
    update: (text) =>
      Effect.gen(function* () {
        if (silent) return
        const now = yield* Clock.currentTimeMillis
        const { shown, shownAtMs } = yield* Ref.get(state)
        const isDue = now - shownAtMs >= (isTerminal ? pauseMs.terminal : pauseMs.lines)
        if (!isDue || text === shown) return yield* Ref.update(state, (before) => ({ ...before, held: text }))
        show(text)
        yield* Ref.set(state, { shownAtMs: now, shown: text, held: "" })
      }),
    note: (text) => {
      // What was held back is older than this line.
      Effect.runSync(Ref.update(state, (before) => ({ ...before, held: "" })))
      stream.write(isTerminal && !silent ? `${clearLine}${text}\n` : `${text}\n`)
    },
    end: Effect.gen(function* () {
      const { held, shown } = yield* Ref.get(state)
      if (silent) return
      if (isTerminal) stream.write(clearLine)
      else if (held !== "" && held !== shown) show(held)
    })
  }
}

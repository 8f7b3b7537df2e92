/** What a file holds, read the slow and obvious way: a row is its fields, or what is wrong with it. */
export type Result = "refused" | ReadonlyArray<ReadonlyArray<string> | "malformed">

/**
 * The meaning of `Csv` in plain terms, character by character over the whole text: what the fast parser is held against.
 * `quote` may be "none".
 */
export const parse = (text: string, delimiter: string, quote: string): Result => {
  const rows: Array<ReadonlyArray<string> | "malformed"> = []
  let hasBroken = false
  let hasBreakInQuotes = false
  let at = 0
  const lineEnd = (from: number): number => {
    let end = from
    while (end < text.length && text[end] !== "\n" && text[end] !== "\r") end++
    return end
  }
  const behindBreak = (from: number): number => (text[from] === "\r" && text[from + 1] === "\n" ? from + 2 : from + 1)
  while (at < text.length) {
    const fields: Array<string> = []
    for (;;) {
      let field = ""
      if (text[at] === quote) {
        at++
        for (;;) {
          if (at >= text.length) return "refused"
          if (text[at] === quote && text[at + 1] === quote) {
            field += quote
            at += 2
          } else if (text[at] === quote) {
            at++
            break
          } else {
            if (text[at] === "\n" || text[at] === "\r") hasBreakInQuotes = true
            field += text[at++]
          }
        }
      } else {
        while (at < text.length && ![delimiter, quote, "\n", "\r"].includes(text[at] ?? "")) field += text[at++]
      }
      fields.push(field)
      if (text[at] !== delimiter || at >= text.length) break
      at++
    }
    if (at >= text.length || text[at] === "\n" || text[at] === "\r") rows.push(fields)
    else {
      hasBroken = true
      rows.push("malformed")
      at = lineEnd(at)
    }
    at = behindBreak(at)
  }
  return hasBroken && hasBreakInQuotes ? "refused" : rows
}

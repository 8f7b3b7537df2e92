/** One ratio of a run: what was measured, beside its baseline of the same run. */
export interface Line {
  readonly what: string
  readonly measured: string
  readonly baseline: string
  readonly ratio: number
  /** What the ratio is to reach; `undefined` where nothing was asked for. */
  readonly asked: Asked | undefined
}

/** A bound that includes itself. */
type Asked = { readonly atLeast: number } | { readonly atMost: number }

/** The lines as a Markdown table; a miss is called one. */
export const render = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => [
  "\n| what | measured | baseline | ratio | asked for |  |",
  "|---|---|---|---|---|---|",
  ...lines.map(({ asked, baseline, measured, ratio, what }) => {
    const verdict = asked === undefined ? "" : meets(ratio, asked) ? "met" : "**miss**"
    const bound = asked === undefined ? "" : "atLeast" in asked ? `≥ ${asked.atLeast}` : `≤ ${asked.atMost}`
    return `| ${what} | ${measured} | ${baseline} | ${ratio.toFixed(2)} | ${bound} | ${verdict} |`
  })
]

const meets = (ratio: number, asked: Asked): boolean =>
  "atLeast" in asked ? ratio >= asked.atLeast : ratio <= asked.atMost

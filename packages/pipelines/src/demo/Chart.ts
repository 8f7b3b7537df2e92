/** A line of a chart. Gaps are not drawn: neighbouring points are joined. */
export interface Series {
  readonly label: string
  /** In ascending `x`. */
  readonly points: ReadonlyArray<{ readonly x: number; readonly y: number }>
}

/** A moment worth a vertical line, named by its number in the list of events. */
export interface Marker {
  readonly x: number
  readonly label: string
  readonly tone: "good" | "bad" | "plain"
}

interface Frame {
  /** Names the chart to people and screen readers. Unique in a page. */
  readonly title: string
  /** What the chart shows, in a sentence, for those who do not see it. */
  readonly description: string
  /** Of the vertical axis, such as `seconds`. */
  readonly unit: string
}

const width = 720
const height = 262
const left = 64
const right = 16
const top = 42
const bottom = 40
const plotWidth = width - left - right
const plotHeight = height - top - bottom

/** A chart of up to three lines over seconds from 0 to `xMax`, as an SVG element; its colours come from the page. */
export const lines = (
  frame: Frame & {
    readonly xMax: number
    readonly series: ReadonlyArray<Series>
    readonly markers: ReadonlyArray<Marker>
  }
): string => {
  const ys = frame.series.flatMap(({ points }) => points.map(({ y }) => y))
  const yTicks = ticks(Math.max(0, ...ys))
  const xTicks = ticks(frame.xMax).filter((x) => x <= frame.xMax)
  const x = (value: number) => left + (plotWidth * value) / (frame.xMax || 1)
  const y = scale(yTicks)
  return svg(frame, [
    ...yTicks.map((tick) => grid(y(tick), number(tick))),
    ...xTicks.map((tick) => label(x(tick), height - bottom + 18, number(tick))),
    label(left + plotWidth, height - 6, "seconds since the start", "end"),
    ...markerLines(frame.markers, x),
    ...frame.series.map((series, index) => line(series, index, x, y)),
    ...(frame.series.length > 1 ? legend(frame.series) : [])
  ])
}

/** A bar for each category, in the order given, as an SVG element. No negative values. */
export const bars = (
  frame: Frame & {
    readonly bars: ReadonlyArray<{ readonly category: string; readonly value: number; readonly text: string }>
  }
): string => {
  const yTicks = ticks(Math.max(0, ...frame.bars.map(({ value }) => value)))
  const y = scale(yTicks)
  const step = plotWidth / Math.max(1, frame.bars.length)
  const barWidth = Math.min(56, step * 0.6)
  return svg(frame, [
    ...yTicks.map((tick) => grid(y(tick), number(tick))),
    ...frame.bars.flatMap(({ category, value, text }, index) => {
      const middle = left + step * (index + 0.5)
      const tip = `<title>${escape(`${category}: ${text}`)}</title>`
      return [
        `<rect class="s0" x="${fixed(middle - barWidth / 2)}" y="${fixed(y(value))}" width="${fixed(barWidth)}" height="${fixed(y(0) - y(value))}" rx="2">${tip}</rect>`,
        label(middle, y(value) - 6, text, "middle", "value"),
        label(middle, height - bottom + 18, category)
      ]
    })
  ])
}

/** Text as HTML. */
export const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

/** A number with thousands separated, as people read it: at most two digits after the point. */
export const number = (value: number): string => value.toLocaleString("en-GB", { maximumFractionDigits: 2 })

const svg = ({ title, description, unit }: Frame, parts: ReadonlyArray<string>): string => {
  const id = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-text">`,
    `<title id="${id}-title">${escape(title)}</title>`,
    `<desc id="${id}-text">${escape(description)}</desc>`,
    label(left, 14, unit, "start"),
    ...parts,
    "</svg>"
  ].join("\n")
}

/** From zero to the first round step at or above `max`, four to six of them. */
const ticks = (max: number): ReadonlyArray<number> => {
  const rough = (max > 0 ? max : 1) / 4
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = magnitude * ([1, 2, 5].find((factor) => factor * magnitude >= rough) ?? 10)
  return Array.from({ length: Math.ceil((max > 0 ? max : 1) / step - 1e-9) + 1 }, (_, index) => index * step)
}

const scale =
  (yTicks: ReadonlyArray<number>) =>
  (value: number): number =>
    top + plotHeight * (1 - value / (yTicks.at(-1) ?? 1))

const line = (series: Series, index: number, x: (value: number) => number, y: (value: number) => number): string => {
  const path = series.points.map((point) => `${fixed(x(point.x))},${fixed(y(point.y))}`).join(" ")
  return `<polyline class="line s${index}" points="${path}"><title>${escape(series.label)}</title></polyline>`
}

/** Above the plot, at the right. */
const legend = (series: ReadonlyArray<Series>): ReadonlyArray<string> =>
  series.flatMap((each, index) => {
    const x = width - right - (series.length - index) * 150
    return [
      `<line class="line s${index}" x1="${x}" x2="${x + 18}" y1="10" y2="10"/>`,
      label(x + 24, 14, each.label, "start", "value")
    ]
  })

/** A number that would touch the one before stands above it. */
const markerLines = (markers: ReadonlyArray<Marker>, x: (value: number) => number): ReadonlyArray<string> => {
  let taken = Number.NEGATIVE_INFINITY
  return markers.map((marker) => {
    const at = x(marker.x)
    const isTight = at - taken < 14
    taken = isTight ? taken : at
    const line = `<line x1="${fixed(at)}" x2="${fixed(at)}" y1="${top}" y2="${height - bottom}"/>`
    return `<g class="marker ${marker.tone}">${line}${label(at, top - (isTight ? 16 : 4), marker.label)}</g>`
  })
}

const grid = (y: number, text: string): string =>
  `<line class="grid" x1="${left}" x2="${width - right}" y1="${fixed(y)}" y2="${fixed(y)}"/>` +
  label(left - 8, y + 4, text, "end")

const label = (x: number, y: number, text: string, anchor = "middle", className = "tick"): string =>
  `<text class="${className}" x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escape(text)}</text>`

const fixed = (value: number): string => String(Math.round(value * 10) / 10)

import * as Chart from "./Chart.ts"

/** A titled section. */
export const section = (title: string, body: string): string => `<section><h2>${title}</h2>${body}</section>`

/** A section with a chart, and its numbers for those who want them. */
export const figure = (
  title: string,
  description: string,
  chart: (frame: { readonly title: string; readonly description: string }) => string,
  values: string
): string =>
  section(
    title,
    `<p class="about">${description}</p><figure>${chart({ title, description })}</figure>` +
      `<details><summary>The numbers</summary>${values}</details>`
  )

/** A table that scrolls where it is too wide; rows are HTML. */
export const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<string>): string =>
  `<div class="scroll"><table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>` +
  `<tbody>${rows.join("")}</tbody></table></div>`

/** A row of numbers. */
export const numbers = (values: ReadonlyArray<number>): string =>
  `<tr>${values.map((value) => `<td>${Chart.number(value)}</td>`).join("")}</tr>`

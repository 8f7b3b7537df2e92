/** Decoded parameters: `created[gte]=1&expand[]=a` is `{ created: { gte: "1" }, expand: { "0": "a" } }`. */
export interface Form {
  readonly [name: string]: string | Form
}

/** Decodes a query or an `application/x-www-form-urlencoded` body with Stripe's brackets. */
export const decode = (text: string): Form => {
  const form: Record<string, string | Form> = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const [head = "", ...inner] = key.split("[").map((part) => part.replace(/\]$/, ""))
    let at: Record<string, string | Form> = form
    const path = [head, ...inner]
    path.slice(0, -1).forEach((name) => {
      const next = at[name]
      const child: Record<string, string | Form> = typeof next === "object" ? next : Object.create(null)
      at[name] = child
      at = child
    })
    const last = path.at(-1) ?? ""
    at[last === "" ? String(Object.keys(at).length) : last] = value
  }
  return form
}

export const text = (form: Form, name: string): string | undefined => {
  const value = form[name]
  return typeof value === "string" ? value : undefined
}

export const integer = (form: Form, name: string): number | undefined => {
  const value = text(form, name)
  return value === undefined ? undefined : /^-?\d+$/.test(value) ? Number(value) : Number.NaN
}

/** An array in either of its two spellings, `types[]=a` and `types[0]=a`; a single text is an array of one. */
export const list = (form: Form, name: string): ReadonlyArray<string> => {
  const value = form[name]
  if (value === undefined) return []
  return typeof value === "string" ? [value] : Object.values(value).filter((item) => typeof item === "string")
}

/** The texts of a hash such as `metadata`. */
export const record = (form: Form, name: string): Record<string, string> | undefined => {
  const value = form[name]
  if (value === undefined || typeof value === "string") return undefined
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string")
  )
}

/** A change as the uniqueness of business keys sees it: who claims, holds or gives up which name, and when. */
export interface Claim {
  readonly key: string
  /** The business key that the row holds from this version on; `null` when it holds none (deleted, or a NULL part). */
  readonly name: string | null
  readonly version: bigint
  /** `published` holds its name before any staged change; `partial` leaves columns out; `truncate` ends all rows. */
  readonly kind: "published" | "whole" | "partial" | "truncate"
}

/**
 * Changes that claim a business key while another live row holds it, found by playing the changes in version order: the
 * first holder keeps the name, a refused change leaves its row as it was, and so do the partial changes that follow it.
 * One verdict per change, whatever the batches.
 */
export const refused = (claims: ReadonlyArray<Claim>): ReadonlyArray<Claim> => {
  const holders = new Map<string, string>()
  const held = new Map<string, string>()
  const setAside = new Set<string>()
  const broken: Array<Claim> = []
  for (const claim of claims.toSorted(byPublishedThenVersion)) {
    const { key, name } = claim
    if (claim.kind === "truncate") {
      holders.clear()
      held.clear()
      continue
    }
    if (claim.kind === "partial" && setAside.has(key)) continue
    const holder = name === null ? undefined : holders.get(name)
    if (holder !== undefined && holder !== key) {
      broken.push(claim)
      setAside.add(key)
      continue
    }
    setAside.delete(key)
    const before = held.get(key)
    if (before !== undefined) holders.delete(before)
    held.delete(key)
    if (name !== null) {
      holders.set(name, key)
      held.set(key, name)
    }
  }
  return broken
}

const byPublishedThenVersion = (left: Claim, right: Claim): number => {
  const isPublished = left.kind === "published"
  if (isPublished !== (right.kind === "published")) return isPublished ? -1 : 1
  return left.version < right.version ? -1 : left.version > right.version ? 1 : 0
}

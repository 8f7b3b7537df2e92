/** A change as the uniqueness of business keys sees it: who claims, holds or gives up which name, and when. */
export interface Claim {
  readonly key: string
  /** The business key that the row holds from this version on; `null` when it holds none (deleted, or a NULL part). */
  readonly name: string | null
  readonly version: bigint
  /** Already published: it holds its name before any staged change. */
  readonly published: boolean
}

/**
 * Changes that claim a business key while another live row holds it, found by playing the changes in version order: the
 * first holder keeps the name, a refused change leaves its row as it was. One verdict per change, whatever the batches.
 */
export const refused = (claims: ReadonlyArray<Claim>): ReadonlyArray<Claim> => {
  const holders = new Map<string, string>()
  const held = new Map<string, string>()
  const broken: Array<Claim> = []
  for (const claim of claims.toSorted(byPublishedThenVersion)) {
    const holder = claim.name === null ? undefined : holders.get(claim.name)
    if (holder !== undefined && holder !== claim.key) {
      broken.push(claim)
      continue
    }
    const before = held.get(claim.key)
    if (before !== undefined) holders.delete(before)
    held.delete(claim.key)
    if (claim.name !== null) {
      holders.set(claim.name, claim.key)
      held.set(claim.key, claim.name)
    }
  }
  return broken
}

const byPublishedThenVersion = (left: Claim, right: Claim): number => {
  if (left.published !== right.published) return left.published ? -1 : 1
  return left.version < right.version ? -1 : left.version > right.version ? 1 : 0
}

import type { Option } from "effect"
import type { Table } from "@northstar/core/Table"
import type { Block, ProtectedBlock, TextColumn } from "../landing/Block.ts"
import type { Finding, GuardOptions } from "./CardGuard.ts"
import type { CardKeys } from "./CardKeys.ts"
import * as CardRules from "./CardRules.ts"
import * as CardScan from "./CardScan.ts"
import * as PciColumn from "./PciColumn.ts"
import { edited, fromTexts, textOf, toTexts, ValueCursor } from "./TextValues.ts"
import { hitsIn, replaced } from "./Tripwire.ts"

/** What protects blocks of these tables, one after another. */
export const protector = (
  tables: ReadonlyArray<Table>,
  keys: Option.Option<CardKeys>,
  policy: GuardOptions["policy"]
): ((block: Block) => { readonly block: ProtectedBlock; readonly findings: ReadonlyArray<Finding> }) => {
  const bySource = new Map(tables.map((table) => [table.source, table]))
  const known = new Map<string, CardRules.CardRules>()
  return (block) => {
    const { fingerprint, table } = block.relation
    const rules = known.get(fingerprint) ?? CardRules.make(bySource.get(table), block.relation)
    known.set(fingerprint, rules)
    return new Protection(block, rules, keys, policy).run()
  }
}

/** The protection of one block. */
class Protection {
  private readonly block: Block
  private readonly rules: CardRules.CardRules
  private readonly keys: Option.Option<CardKeys>
  private readonly policy: GuardOptions["policy"]
  /** Columns that differ from the block's, by their place in the relation that lands. */
  private readonly changed = new Map<number, TextColumn>()
  private readonly findings: Array<Finding> = []
  /** Rows to set aside, with the reason. */
  private readonly reasons = new Map<number, string>()

  constructor(block: Block, rules: CardRules.CardRules, keys: Option.Option<CardKeys>, policy: GuardOptions["policy"]) {
    this.block = block
    this.rules = rules
    this.keys = keys
    this.policy = policy
  }

  run() {
    const { block, rules } = this
    for (const [index, rule] of rules.columns.entries()) {
      const column = block.columns[index] as TextColumn
      if (rules.parts.some(({ target }) => target === index)) continue
      if (rule.kind === "pci") this.protectPci(index, rule, column)
      else if (rule.kind === "scan") this.protectScanned(index, rule, column)
    }
    const movedFrom = this.protectOldKeys()
    const unchanged = this.withoutCards("_unchanged", this.withParts())
    const flagged = this.flagged(this.withoutCards("_flagged", block.flagged))
    const isSame =
      this.changed.size === 0 &&
      rules.relation === block.relation &&
      movedFrom === block.movedFrom &&
      unchanged === block.unchanged &&
      flagged === block.flagged
    const columns = rules.relation.columns.map(
      (_, index) => this.changed.get(index) ?? (block.columns[index] as TextColumn)
    )
    const safe = isSame ? block : { ...block, relation: rules.relation, columns, movedFrom, unchanged, flagged }
    // Sound: this is what a protected block is, and it is made nowhere else.
    return { block: safe as ProtectedBlock, findings: this.findings }
  }

  private protectScanned(index: number, rule: CardRules.ColumnRule, column: TextColumn): void {
    const scanned = CardScan.scan(column, rule.form, this.keys)
    if (scanned === undefined) return
    this.changed.set(index, scanned.column)
    this.report(rule.name, [...scanned.rows.values()])
    if (this.policy === "quarantine" || rule.isFlagged) {
      for (const [row, kind] of scanned.rows) this.flag(row, `${kind}:${rule.name}`)
    }
  }

  private protectPci(index: number, rule: CardRules.ColumnRule, column: TextColumn): void {
    const parts = this.rules.parts.filter(({ of }) => of === index)
    const made = PciColumn.protect(column, parts, this.keys)
    this.changed.set(index, made.column)
    for (const [place, part] of parts.entries()) this.changed.set(part.target, made.parts[place] as TextColumn)
    this.report(
      rule.name,
      made.dropped.map(() => "not_a_card")
    )
    if (rule.isFlagged) for (const row of made.dropped) this.flag(row, `not_a_card:${rule.name}`)
  }

  /** Old keys are texts in a JSON array, each of them as its column's values are. */
  private protectOldKeys(): TextColumn {
    const { movedFrom } = this.block
    const { columns, key } = this.rules
    const cursor = new ValueCursor(movedFrom)
    const edits = []
    while (cursor.next()) {
      const isHidden = key.some((index) => columns[index]?.kind === "pci" || columns[index]?.form === "bytes")
      if (!isHidden && hitsIn(movedFrom.bytes, cursor.start, cursor.end).length === 0) continue
      // Sound: capture writes old keys as JSON arrays of texts.
      const texts = JSON.parse(textOf(movedFrom, cursor)) as ReadonlyArray<string | null>
      const value = texts.map((text, place) => this.oldKey(text, columns[key[place] ?? -1], cursor.row))
      edits.push({ row: cursor.row, start: cursor.start, end: cursor.end, value: Buffer.from(JSON.stringify(value)) })
    }
    return edits.length === 0 ? movedFrom : edited(movedFrom, edits)
  }

  private oldKey(text: string | null, rule: CardRules.ColumnRule | undefined, row: number): string | null {
    if (text === null || rule?.kind === "pass") return text
    if (rule?.kind === "pci") return PciColumn.protectedText(text, this.keys)?.text ?? null
    const bytes = Buffer.from(text)
    const hits = hitsIn(bytes, 0, bytes.length)
    const encoded = rule?.form === "bytes" ? CardScan.ofBytes(bytes, this.keys) : undefined
    if (hits.length === 0 && encoded === undefined) return text
    const name = rule?.name ?? "key"
    this.report(name, ["card_number"])
    this.flag(row, `card_number:${name}`)
    const safe = encoded?.value ?? replaced(bytes, 0, bytes.length, hits, CardScan.textFor(this.keys))
    return Buffer.from(safe).toString()
  }

  /** A row that does not carry a card number does not carry its parts either. */
  private withParts(): TextColumn {
    const { unchanged } = this.block
    const { columns, parts } = this.rules
    if (parts.length === 0 || !unchanged.present.includes(1)) return unchanged
    return fromTexts(
      toTexts(unchanged).map((text) => {
        if (text === undefined) return undefined
        // Sound: capture writes the names as a JSON array.
        const names = JSON.parse(text) as ReadonlyArray<string>
        const carried = new Set(names)
        const sourceName = (index: number) => this.block.relation.columns[index]?.name ?? columns[index]?.name ?? ""
        const missing = parts.filter(({ of }) => carried.has(sourceName(of))).map(({ name }) => name)
        return JSON.stringify([...carried, ...missing.filter((name) => !carried.has(name))])
      })
    )
  }

  private withoutCards(name: string, column: TextColumn): TextColumn {
    const scanned = CardScan.scan(column, "text", this.keys)
    if (scanned === undefined) return column
    this.report(name, [...scanned.rows.values()])
    return scanned.column
  }

  /** A row that capture set aside for another reason keeps that one. */
  private flagged(column: TextColumn): TextColumn {
    if (this.reasons.size === 0) return column
    return fromTexts(toTexts(column).map((reason, row) => reason ?? this.reasons.get(row)))
  }

  private flag(row: number, reason: string): void {
    if (!this.reasons.has(row)) this.reasons.set(row, reason)
  }

  private report(column: string, kinds: ReadonlyArray<Finding["kind"]>): void {
    for (const kind of new Set(kinds)) {
      const rows = kinds.filter((other) => other === kind).length
      this.findings.push({ table: this.block.relation.table, column, kind, rows })
    }
  }
}

import type { Block } from "../landing/Block.ts"
import { Csv, more } from "./Csv.ts"
import { type Bytes, decode } from "./Decode.ts"
import * as Header from "./Header.ts"
import { Refusal } from "./Refusal.ts"
import { Rows, type Shared } from "./Rows.ts"
import { Totals } from "./Totals.ts"

/** The reading of one file from its first byte to its last. */
export class Reading {
  /** Columns of the file that are not captured; known with the first block. */
  extra: ReadonlyArray<string> = []
  private readonly shared: Shared
  private readonly sidecar: string | undefined
  private readonly csv: Csv
  private rows: Rows | undefined
  private totals: Totals | undefined
  private width = 0
  /** The row read last was one that cannot be read. */
  private isLastMalformed = false

  /** `sidecar`: text of the control totals beside the file, where the contract has them. */
  constructor(shared: Shared, sidecar: string | undefined) {
    this.shared = shared
    this.sidecar = sidecar
    const { delimiter, quote, limits } = shared.contract
    this.csv = new Csv({ delimiter, quote, rowBytesMax: limits.rowBytesMax })
    if (shared.contract.header !== undefined) this.start(shared.contract.header)
  }

  /** Rows of the file, those flagged, and those that could not be read, so far. */
  get counts(): Pick<Rows, "rows" | "flagged" | "malformed"> {
    return this.rows ?? { rows: 0, flagged: 0, malformed: 0 }
  }

  /** The file's rows in blocks. Throws a `Refusal` where the file cannot be read: what came before must not count. */
  async *blocks(file: Bytes): AsyncGenerator<Block> {
    const { encoding, limits } = this.shared.contract
    for await (const chunk of decode(file, encoding, limits)) {
      this.csv.feed(chunk)
      yield* this.drain()
    }
    this.csv.feed(undefined)
    yield* this.drain()
    this.end()
    const rest = this.rows?.take()
    if (rest !== undefined) yield rest
  }

  private *drain(): Generator<Block> {
    const { csv } = this
    for (let fields = csv.next(); fields !== more; fields = csv.next()) {
      if (this.isBlank(fields)) continue
      if (this.rows === undefined || this.totals === undefined) {
        this.start(Header.names(csv, fields))
        continue
      }
      if (this.totals.takeTrailer(csv, fields)) continue
      const before = this.rows.malformed
      this.rows.add(csv, fields)
      this.isLastMalformed = this.rows.malformed > before
      if (!this.isLastMalformed) this.totals.add(csv)
      if (this.rows.isFull) yield this.rows.take() as Block
    }
  }

  /** An empty line is no row, but in a file of one column it is a row without a value. */
  private isBlank(fields: number): boolean {
    return fields === 1 && this.width !== 1 && this.csv.starts[0] === this.csv.ends[0]
  }

  private start(names: ReadonlyArray<string>): void {
    const { contract, relation } = this.shared
    const { fields, width, extra } = Header.resolve(contract, names)
    this.extra = extra
    this.width = width
    this.rows = new Rows(this.shared, fields, width)
    const columns = relation.columns.map(({ name }) => name)
    this.totals = new Totals(contract.control, this.rows, columns, this.sidecar)
  }

  private end(): void {
    if (this.totals === undefined) throw new Refusal("the file holds no header and no row")
    if (this.csv.isOpenEnded && this.isLastMalformed) {
      throw new Refusal(`the last row, at line ${this.csv.line}, ends in the middle: the file was cut off`)
    }
    this.totals.check()
  }
}

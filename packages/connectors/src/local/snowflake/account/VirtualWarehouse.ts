import { SnowflakeError } from "../Statement.ts"

/** Credits an hour by size, first generation (Snowflake Service Consumption Table). */
export const creditsPerHour: ReadonlyMap<string, number> = new Map([
  ["X-Small", 1],
  ["Small", 2],
  ["Medium", 4],
  ["Large", 8],
  ["X-Large", 16],
  ["2X-Large", 32],
  ["3X-Large", 64],
  ["4X-Large", 128]
])

/** A size as SHOW WAREHOUSES prints it, from any spelling that statements may use. */
export const sizeOf = (text: string): string => {
  const plain = (name: string) => name.toUpperCase().replaceAll("-", "")
  const short = text
    .toUpperCase()
    .replace(/^XXXXLARGE$|^X4LARGE$/, "4XLARGE")
    .replace(/^XXXLARGE$|^X3LARGE$/, "3XLARGE")
  const size = [...creditsPerHour.keys()].find(
    (name) => plain(name) === plain(short.replace(/^XXLARGE$|^X2LARGE$/, "2XLARGE"))
  )
  if (size === undefined) {
    throw new SnowflakeError(
      "002008",
      "42601",
      `SQL compilation error:\ninvalid value '${text}' for property 'WAREHOUSE_SIZE'`
    )
  }
  return size
}

/** Shortest time that a resume is billed for, in seconds. */
const billedSecondsMin = 60

/** A virtual warehouse: runs while statements run and until it has idled for its auto-suspend time, and is billed for that. */
export class VirtualWarehouse {
  size = "X-Small"
  /** Seconds; 0 never suspends. */
  autoSuspendSeconds = 600
  autoResume = true
  resourceMonitor: string | undefined
  /** Times it was started. */
  resumes = 0
  readonly #nowMs: () => number
  #startedMs: number | undefined
  #idleSinceMs = 0
  #running = 0
  #billedSeconds = 0
  #credits = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get state(): "STARTED" | "SUSPENDED" {
    this.#settle()
    return this.#startedMs === undefined ? "SUSPENDED" : "STARTED"
  }

  get running(): number {
    return this.#running
  }

  /** Unix milliseconds of the last start. */
  get startedMs(): number | undefined {
    this.#settle()
    return this.#startedMs
  }

  /** Seconds billed so far, those of a start that still runs included. */
  get billedSeconds(): number {
    this.#settle()
    return this.#billedSeconds + this.#openSeconds(this.#nowMs())
  }

  /** Credits used so far. */
  get credits(): number {
    this.#settle()
    return this.#credits + this.#creditsFor(this.#openSeconds(this.#nowMs()))
  }

  resume(): void {
    if (this.state === "STARTED") return
    this.#startedMs = this.#nowMs()
    this.#idleSinceMs = this.#startedMs
    this.resumes += 1
  }

  suspend(): void {
    if (this.state === "STARTED") this.#stop(this.#nowMs())
  }

  resize(size: string): void {
    this.#settle()
    const isStarted = this.#startedMs !== undefined
    if (isStarted) this.#stop(this.#nowMs())
    this.size = size
    if (isStarted) this.#startedMs = this.#nowMs()
  }

  /** Counts a statement until the returned function is called. */
  begin(): () => void {
    this.#running += 1
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#running -= 1
      this.#idleSinceMs = this.#nowMs()
    }
  }

  #settle(): void {
    if (this.#startedMs === undefined || this.#running > 0 || this.autoSuspendSeconds === 0) return
    const suspendsMs = this.#idleSinceMs + this.autoSuspendSeconds * 1000
    if (this.#nowMs() >= suspendsMs) this.#stop(suspendsMs)
  }

  #stop(atMs: number): void {
    const seconds = this.#openSeconds(atMs)
    this.#billedSeconds += seconds
    this.#credits += this.#creditsFor(seconds)
    this.#startedMs = undefined
  }

  #openSeconds(atMs: number): number {
    if (this.#startedMs === undefined) return 0
    return Math.max(billedSecondsMin, (atMs - this.#startedMs) / 1000)
  }

  #creditsFor(seconds: number): number {
    return (seconds / 3600) * creditsPerHour.get(this.size)!
  }
}

/** A limit on credits; the interval after which usage starts again at zero is kept but not acted on. */
export interface ResourceMonitor {
  quota: number | undefined
  frequency: string
  triggers: ReadonlyArray<{ readonly percent: number; readonly action: "NOTIFY" | "SUSPEND" | "SUSPEND_IMMEDIATE" }>
  /** Whether it watches the whole account. */
  isAccount: boolean
}

/** Whether warehouses under a monitor that has used so many credits may no longer start. */
export const isExceeded = ({ quota, triggers }: ResourceMonitor, usedCredits: number): boolean =>
  quota !== undefined &&
  triggers.some(({ percent, action }) => action !== "NOTIFY" && usedCredits >= (quota * percent) / 100)

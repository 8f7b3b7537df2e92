import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { hostname } from "node:os"
import { dirname, join } from "node:path"

/** Folders known to be synced into their parents; forgotten beyond this number, which costs only another sync. */
const knownFoldersMax = 10_000

/** How often a file is named again after another process removed its folder, having found it empty. */
const namingsMax = 5

/**
 * Files below one root on a local disk, as `FolderStore` needs them: promises at the edge of the file system, which
 * reject with Node's own errors.
 */
export class Folder {
  readonly root: string
  readonly #temporary: string
  readonly #known = new Set<string>()

  constructor(root: string) {
    this.root = root
    this.#temporary = join(root, ".temporary")
  }

  /** Makes the root, and removes what killed processes of this host left in its temporary folder. */
  async open(): Promise<void> {
    await fs.mkdir(this.#temporary, { recursive: true })
    await this.sync(this.root)
    // A parent that is closed to us was not made by us, and needs no sync.
    await this.sync(dirname(this.root)).catch((error: unknown) => {
      if (codeOf(error) !== "EACCES") throw error
    })
    const own = `${hostname()}.`
    for (const name of await fs.readdir(this.#temporary)) {
      const id = name.startsWith(own) ? Number(name.slice(own.length).split(".")[0]) : Number.NaN
      // No clocks; a wrong guess about another machine's process makes one write fail, and loses nothing.
      if (Number.isInteger(id) && !isAlive(id)) await fs.rm(join(this.#temporary, name), { force: true })
    }
  }

  /** A path for a temporary file; the process is part of its name, so that `open` recognises what is left of it. */
  temporaryPath(): string {
    return join(this.#temporary, `${hostname()}.${process.pid}.${randomUUID()}`)
  }

  /** Writes a new file whose bytes are on the disk when it returns. */
  async writeSynced(path: string, bytes: Uint8Array): Promise<void> {
    const file = await fs.open(path, "wx")
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Makes the folders of `path`, then runs `name`; says whether the name was free. */
  async nameFile(path: string, name: () => Promise<void>): Promise<"created" | "exists"> {
    for (let naming = 1; ; naming++) {
      try {
        await this.#makeFolder(dirname(path))
        await name()
        return "created"
      } catch (error) {
        if (codeOf(error) === "EEXIST") return "exists"
        if (codeOf(error) !== "ENOENT" || naming === namingsMax) throw error
        this.#known.clear()
      }
    }
  }

  /** Makes names in a folder durable. */
  async sync(path: string): Promise<void> {
    const handle = await fs.open(path, "r")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  /** Removes a folder, given by its key, and its ancestors below the root as far as they are empty. */
  async removeEmpty(key: string): Promise<void> {
    for (let path = key; path !== "."; path = dirname(path)) {
      try {
        await fs.rmdir(join(this.root, path))
      } catch (error) {
        if (["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(error))) return
        throw error
      }
      this.#known.delete(join(this.root, path))
    }
  }

  /** Files whose keys start with `prefix` and come after `after`, in the order of their keys. */
  async *walk(
    prefix: string,
    after: string,
    folder = ""
  ): AsyncGenerator<{ readonly key: string; readonly bytes: number }> {
    const entries = (await orAbsent(fs.readdir(join(this.root, folder), { withFileTypes: true }))) ?? []
    const keys = entries
      .filter((entry) => !entry.name.startsWith("."))
      // A folder sorts by its name with the slash that follows it in its keys.
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
    for (const key of keys.toSorted((left, right) => (left < right ? -1 : 1))) {
      if (key.endsWith("/")) {
        const isBefore = key <= after && !after.startsWith(key)
        if (!isBefore && (key.startsWith(prefix) || prefix.startsWith(key))) yield* this.walk(prefix, after, key)
      } else if (key > after && key.startsWith(prefix)) {
        const stat = await orAbsent(fs.stat(join(this.root, key)))
        if (stat !== undefined) yield { key, bytes: stat.size }
      }
    }
  }

  /** Makes a folder and its ancestors below the root, each synced into its parent. */
  async #makeFolder(path: string): Promise<void> {
    if (path === this.root || this.#known.has(path)) return
    await this.#makeFolder(dirname(path))
    await fs.mkdir(path).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error
    })
    await this.sync(dirname(path))
    if (this.#known.size >= knownFoldersMax) this.#known.clear()
    this.#known.add(path)
  }
}

/** The result, or `undefined` where the file does not exist. */
export const orAbsent = async <A>(promise: Promise<A>): Promise<A | undefined> => {
  try {
    return await promise
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined
    throw error
  }
}

/** Code of an error of Node's, such as `ENOSPC`; empty for any other. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""

const isAlive = (id: number): boolean => {
  try {
    return process.kill(id, 0)
  } catch (error) {
    return codeOf(error) === "EPERM"
  }
}

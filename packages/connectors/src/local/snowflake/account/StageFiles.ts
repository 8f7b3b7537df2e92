import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { SnowflakeError } from "../Statement.ts"

/** A file below a stage's URL. */
export interface StageFile {
  /** `s3://bucket/key` or `file:///path`. */
  readonly url: string
  readonly bytes: number
  readonly md5: string
  readonly modifiedMs: number
}

/** What reads a bucket for `s3://` stages. */
export interface StageFiles {
  /** The object, or `undefined` if there is none. Rejects if the bucket cannot be reached. */
  readonly get: (url: string) => Promise<Uint8Array | undefined>
  /** Objects whose URL starts so, in order. */
  readonly list: (prefix: string) => Promise<ReadonlyArray<StageFile>>
}

/** A file on this machine with the fingerprint of its content. */
export interface LocalFile {
  readonly path: string
  readonly md5: string
}

/** Files below local folders. */
export const folders: StageFiles & { readonly open: (url: string) => Promise<LocalFile | undefined> } = {
  get: async (url) => (await readable(fileURLToPath(url))) ?? undefined,
  list: async (prefix) => {
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1)
    const entries = await readdir(fileURLToPath(folder), { recursive: true, withFileTypes: true }).catch(() => [])
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const found = await Promise.all(files.toSorted().map(describe))
    return found.filter(({ url }) => url.startsWith(prefix))
  },
  open: async (url) => {
    const path = fileURLToPath(url)
    const bytes = await readable(path)
    return bytes === undefined ? undefined : { path, md5: md5Of(bytes) }
  }
}

/** Makes every URL a local file while `use` runs; `undefined` stands for a file that is not there. */
export const withLocal = async <A>(
  urls: ReadonlyArray<string>,
  s3: StageFiles | undefined,
  use: (files: ReadonlyArray<LocalFile | undefined>) => Promise<A>
): Promise<A> => {
  const spool = await mkdtemp(join(tmpdir(), "northstar-stage-"))
  try {
    const files: Array<LocalFile | undefined> = []
    for (const [index, url] of urls.entries()) {
      if (url.startsWith("file:")) files.push(await folders.open(url))
      else files.push(await spooled(await fetched(s3, url), join(spool, `${index}.parquet`)))
    }
    return await use(files)
  } finally {
    await rm(spool, { recursive: true, force: true })
  }
}

const fetched = (s3: StageFiles | undefined, url: string): Promise<Uint8Array | undefined> => {
  const unreachable = new SnowflakeError(
    "091003",
    "55000",
    "Failure using stage area. Cause: [The bucket cannot be reached]"
  )
  return s3 === undefined ? Promise.reject(unreachable) : s3.get(url).catch(() => Promise.reject(unreachable))
}

const spooled = async (bytes: Uint8Array | undefined, path: string): Promise<LocalFile | undefined> => {
  if (bytes === undefined) return undefined
  await writeFile(path, bytes)
  return { path, md5: md5Of(bytes) }
}

const describe = async (path: string): Promise<StageFile> => {
  const [{ size, mtimeMs }, bytes] = [await stat(path), await readFile(path)]
  return { url: `file://${path}`, bytes: size, md5: md5Of(bytes), modifiedMs: Math.floor(mtimeMs) }
}

const readable = (path: string): Promise<Uint8Array | undefined> =>
  readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined
    throw cause
  })

const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex")

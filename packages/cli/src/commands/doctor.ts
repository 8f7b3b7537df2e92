import * as Doctor from "@northstar/connectors/project/Doctor"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"

export default class DoctorCommand extends NorthstarCommand {
  static override summary = "Check everything that the project needs, and say what to do."
  static override description =
    "Configuration, source (version, wal_level, rights, publication, slot, clock), landing, warehouse and disk. Changes " +
    "nothing at the source; writes one small object to the landing store and removes it. Exit code 4 when a check fails."

  async run() {
    const { flags } = await this.parse(DoctorCommand)
    const report = await this.present(Output.Doctor, Doctor.examine(flags.config), render)
    if (!report.healthy) this.endWith("misconfigured")
    return report
  }
}

const marks = { ok: "ok  ", warn: "WARN", fail: "FAIL" }

const render = ({ findings, healthy }: Doctor.Report): string => {
  const width = Math.max(...findings.map(({ name }) => name.length))
  const lines = findings.flatMap(({ action, detail, name, status }) => [
    `${marks[status]}  ${name.padEnd(width)}  ${detail}`,
    ...(action === "" ? [] : [`${" ".repeat(width + 8)}→ ${action}`])
  ])
  return [...lines, "", healthy ? "Ready." : "Not ready: see the lines marked FAIL."].join("\n")
}

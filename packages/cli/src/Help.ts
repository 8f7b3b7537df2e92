import { Help } from "@oclif/core"
import { lines } from "./ExitCode.ts"

/** oclif's help, with the exit codes below the commands. */
export default class NorthstarHelp extends Help {
  /** Without the platform and Node's version: the build keeps this text for other machines. */
  override formatRoot(): string {
    return super.formatRoot().replace(this.config.userAgent, `${this.config.name} ${this.config.version}`)
  }

  protected override async showRootHelp(): Promise<void> {
    await super.showRootHelp()
    this.log(this.section("EXIT CODES", lines().join("\n")))
    this.log("")
  }
}

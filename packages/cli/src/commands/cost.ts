import { Flags } from "@oclif/core"
import { Effect } from "effect"
import { budgetUsdDefault } from "@northstar/connectors/cost/Cost"
import * as Costs from "@northstar/connectors/project/Costs"
import * as Load from "@northstar/connectors/project/Load"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { render as table } from "../TextTable.ts"

export default class CostCommand extends NorthstarCommand {
  static override summary = "Project the monthly cost at the design volume, line by line, against a budget."
  static override description =
    "45 million order lines and 1.2 TB a day, two years curated, 90 days raw. Shows what was measured too, where the " +
    "warehouse is Snowflake and can be asked: that query starts the virtual warehouse. Works without a project."
  static override flags = {
    budget: Flags.integer({ summary: "US dollars a month.", helpValue: "<usd>", default: budgetUsdDefault, min: 0 })
  }

  async run() {
    const { flags, metadata } = await this.parse(CostCommand)
    // Without a project of its own the projection stands; one that is named must be there.
    const isOptional = metadata.flags["config"]?.setFromDefault === true && !Load.exists(flags.config)
    const project = isOptional ? Effect.succeed(undefined) : Load.project(flags.config)
    const program = Effect.flatMap(project, (found) => Costs.report(found, { budgetUsd: flags.budget }))
    const mutable = Effect.map(program, ({ assumptions, ...rest }) => ({ ...rest, assumptions: { ...assumptions } }))
    return this.present(Output.Cost, mutable, render)
  }
}

const usd = (value: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })

const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 1 })

const sides = [
  ["snowflake", "Snowflake", "snowflakeMonthlyUsd"],
  ["aws", "AWS", "awsMonthlyUsd"]
] as const

const render = (report: typeof Output.Cost.Type): string =>
  [
    ...sides.flatMap(([side, title, total]) => [
      table(
        ["USD/month", title, "  quantity", "unit", "USD a unit"],
        report.lines
          .filter((line) => line.side === side)
          .map(({ description, monthlyUsd, quantity, unit, unitPriceUsd }) => [
            usd(monthlyUsd).padStart(9),
            description,
            number(quantity).padStart(10),
            unit,
            unitPriceUsd
          ])
      ),
      `${usd(report[total]).padStart(9)}  in total`,
      ""
    ]),
    "Assumed, by line:",
    ...report.lines.map(({ assumption, id }) => `  ${id.padEnd(18)}${assumption}`),
    "",
    ...measured(report),
    `List prices of ${report.pricesAsOf} in ${report.assumptions["region"]}, edition ${report.assumptions["edition"]}, without tax or discount.`,
    `A change is visible after ${number(report.load.freshnessSeconds / 60)} min, at up to ${number(report.load.changesPerSecondMax)} changes a second.`,
    "",
    `${usd(report.projectedMonthlyUsd)} USD a month of ${usd(report.budgetUsd)}: ${report.withinBudget ? "within budget" : "OVER BUDGET"}.`
  ].join("\n")

const measured = ({ basis, warehouses }: typeof Output.Cost.Type): ReadonlyArray<string> => [
  basis,
  ...(warehouses.length === 0
    ? []
    : [
        "",
        table(
          ["warehouse", "size", "cycles", "statements", "warehouse seconds", "GB scanned", "changes"],
          warehouses.map((row) => [
            row.warehouse,
            row.size,
            row.cycles,
            row.statements,
            Math.round(row.warehouseSeconds),
            Number((row.bytesScanned / 1e9).toFixed(3)),
            row.changes
          ])
        )
      ]),
  ""
]

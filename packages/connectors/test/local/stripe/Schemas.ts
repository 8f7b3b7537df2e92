import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Ajv, type ValidateFunction } from "ajv"
import { Project, ts } from "ts-morph"
import type { Kind } from "../../../src/local/stripe/Objects.ts"

/** The interface of the package that describes each kind. */
const interfaces = {
  charge: ["Charges", "Charge"],
  payment_intent: ["PaymentIntents", "PaymentIntent"],
  refund: ["Refunds", "Refund"],
  dispute: ["Disputes", "Dispute"],
  payout: ["Payouts", "Payout"],
  balance_transaction: ["BalanceTransactions", "BalanceTransaction"],
  customer: ["Customers", "Customer"],
  event: ["Events", "EventBase"],
  balance: ["Balance", "Balance"]
} as const

/**
 * Validators of the API's objects, derived from the declarations that the `stripe` package generates from Stripe's own
 * specification: no field may be missing, unknown or of another type, and enumerations are closed (the package leaves
 * them open with `OtherString`).
 */
export const validators = (): Readonly<Record<Kind | "balance", ValidateFunction>> => {
  const resources = join(dirname(createRequire(import.meta.url).resolve("stripe")), "..", "esm", "resources")
  const files = Object.values(interfaces).map(([file]) => join(resources, `${file}.d.ts`))
  const project = new Project({ compilerOptions: { strict: true, skipLibCheck: true, types: [] } })
  project.addSourceFilesAtPaths(files)
  const program = project.getProgram().compilerObject
  const checker = program.getTypeChecker()
  const derived = new Derived(checker)
  const entries = Object.entries(interfaces).map(([kind, [file, name]]) => {
    const source = program.getSourceFile(join(resources, `${file}.d.ts`))
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
    const symbol = checker.getExportsOfModule(module!).find((it) => it.name === name)
    return [kind, derived.schema(checker.getDeclaredTypeOfSymbol(symbol!))] as const
  })
  const ajv = new Ajv({ strict: false, allErrors: true, schemas: [{ $id: "stripe", $defs: derived.definitions }] })
  const compiled = entries.map(([kind, schema]) => [kind, ajv.compile(schema)])
  return Object.fromEntries(compiled) as Record<Kind | "balance", ValidateFunction>
}

class Derived {
  readonly definitions: Record<string, object> = {}
  readonly #names = new Map<ts.Type, string>()
  readonly #checker: ts.TypeChecker

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker
  }

  schema(type: ts.Type): object {
    if (type.isUnion()) return { anyOf: type.types.filter((it) => !isAbsent(it)).map((it) => this.schema(it)) }
    if (type.isLiteral()) return { const: type.value }
    if ((type.flags & ts.TypeFlags.BooleanLiteral) !== 0) return { const: this.#checker.typeToString(type) === "true" }
    if ((type.flags & ts.TypeFlags.String) !== 0) return { type: "string" }
    if ((type.flags & ts.TypeFlags.Number) !== 0) return { type: "integer" }
    if ((type.flags & ts.TypeFlags.Null) !== 0) return { type: "null" }
    const [item] = this.#checker.isArrayType(type) ? this.#checker.getTypeArguments(type as ts.TypeReference) : []
    if (item !== undefined) return { type: "array", items: this.schema(item) }
    return this.#object(type)
  }

  #object(type: ts.Type): object {
    const known = this.#names.get(type)
    if (known !== undefined) return { $ref: `stripe#/$defs/${known}` }
    const name = `d${this.#names.size}`
    this.#names.set(type, name)
    const properties = type.getProperties().map((property) => ({
      name: property.name,
      isOptional: (property.flags & ts.SymbolFlags.Optional) !== 0,
      type: this.#checker.getTypeOfSymbol(property)
    }))
    const index = type.getStringIndexType()
    this.definitions[name] = {
      type: "object",
      properties: Object.fromEntries(properties.map((it) => [it.name, fractions[it.name] ?? this.schema(it.type)])),
      required: properties.filter((it) => !it.isOptional).map((it) => it.name),
      // An interface without fields stands for any object: that of an event.
      additionalProperties: index === undefined ? properties.length === 0 : this.schema(index)
    }
    return { $ref: `stripe#/$defs/${name}` }
  }
}

/** Every other number is an integer, which the declarations cannot say. */
const fractions: Readonly<Record<string, object>> = { exchange_rate: { type: ["number", "null"] } }

/** `undefined` of an optional field, and the open end of an enumeration. */
const isAbsent = (type: ts.Type): boolean =>
  (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void)) !== 0 || type.isIntersection()

import * as FileContract from "@northstar/connectors/files/FileContract"
import * as Check from "@northstar/core/Check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"

/*
 * What the partners who store and ship for Northstar put into the drop folder, each in its own way. Names before
 * `renamedFrom` are ours, behind it the headers of their files.
 */

/** Fleetfoot ships from London: one row a shipment, sent again whenever something about it changes. */
export const shipments = Table.make("fct_shipment", {
  source: "fleetfoot.shipments",
  columns: {
    shipment_id: Column.renamedFrom(Column.text, "Shipment No"),
    order_number: Column.renamedFrom(Column.text, "Your Order"),
    carrier: Column.renamedFrom(Column.text, "Carrier"),
    service: Column.renamedFrom(Column.nullable(Column.text), "Service"),
    tracking_number: Column.renamedFrom(Column.nullable(Column.text), "Tracking No"),
    status: Column.renamedFrom(Column.text, "Status"),
    parcel_count: Column.renamedFrom(Column.int32, "Parcels"),
    weight_kg: Column.renamedFrom(Column.nullable(Column.decimal(9, 3)), "Weight (kg)"),
    /** What Fleetfoot charges, pence. */
    cost_minor: Column.renamedFrom(Column.int64, "Cost (p)"),
    handed_over_at: Column.renamedFrom(Column.nullable(Column.timestamptz), "Handed Over"),
    updated_at: Column.renamedFrom(Column.timestamptz, "Last Update"),
    file: Column.text
  },
  key: ["shipment_id"],
  event: { column: "updated_at", zone: "Europe/London" },
  checks: [
    Check.oneOf("status", ["PACKED", "DISPATCHED", "DELIVERED", "EXCEPTION", "CANCELLED"]),
    Check.between("parcel_count", { min: "0", max: "500" })
  ]
})

/** Fleetfoot's scans: what happened to a parcel, when and where. A scan never changes; it may be told twice. */
export const shipmentEvents = Table.make("fct_shipment_event", {
  source: "fleetfoot.events",
  columns: {
    shipment_id: Column.renamedFrom(Column.text, "shipment"),
    event_code: Column.renamedFrom(Column.text, "code"),
    scanned_at: Column.renamedFrom(Column.timestamptz, "time"),
    place: Column.nullable(Column.text),
    file: Column.text
  },
  key: ["shipment_id", "event_code", "scanned_at"],
  event: { column: "scanned_at", zone: "Europe/London" }
})

/** Rückweg takes returns in Hamburg and writes as German offices do: semicolons, decimal commas, Latin-1, a last row of totals. */
export const returns = Table.make("fct_return", {
  source: "rueckweg.returns",
  columns: {
    return_id: Column.renamedFrom(Column.text, "Retoure"),
    order_number: Column.renamedFrom(Column.text, "Auftrag"),
    product_code: Column.renamedFrom(Column.text, "Artikel"),
    quantity: Column.renamedFrom(Column.int32, "Menge"),
    condition: Column.renamedFrom(Column.text, "Zustand"),
    /** What the customer wrote. */
    remark: Column.renamedFrom(Column.nullable(Column.pii(Column.text)), "Bemerkung"),
    value_eur: Column.renamedFrom(Column.nullable(Column.decimal(12, 2)), "Wert EUR"),
    received_at: Column.renamedFrom(Column.timestamptz, "Eingang"),
    file: Column.text
  },
  key: ["return_id"],
  event: { column: "received_at", zone: "Europe/Berlin" },
  checks: [Check.between("quantity", { min: "1", max: "10000" })]
})

/** Stockwell counts its shelves every night and sends all of it, zipped UTF-16 from a spreadsheet; a correction replaces the day. */
export const stockLevels = Table.make("stock_level", {
  source: "stockwell.stock",
  columns: {
    counted_on: Column.renamedFrom(Column.date, "DATE"),
    warehouse: Column.renamedFrom(Column.text, "WH"),
    product_code: Column.renamedFrom(Column.text, "SKU"),
    /** 13 digits whose last one checks the others: some of them look like card numbers and are none. */
    ean: Column.renamedFrom(Column.nullable(Column.notCard(Column.text)), "EAN"),
    on_hand: Column.renamedFrom(Column.int32, "QTY"),
    reserved: Column.renamedFrom(Column.int32, "RESERVED"),
    file: Column.text
  },
  key: ["counted_on", "warehouse", "product_code"],
  event: { column: "counted_on", zone: "Europe/London" },
  checks: [Check.between("reserved", { min: "0" })]
})

/** How each partner writes its files. */
export const all = [
  FileContract.make({
    table: shipments,
    prefix: "fleetfoot/shipments/",
    zone: "Europe/London",
    formats: { handed_over_at: "dd/MM/yyyy HH:mm", updated_at: "dd/MM/yyyy HH:mm:ss" },
    fill: { file: "file" },
    order: { by: "column", column: "updated_at" }
  }),
  FileContract.make({
    table: shipmentEvents,
    prefix: "fleetfoot/events/",
    delimiter: "|",
    quote: "none",
    zone: "Europe/London",
    fill: { file: "file" },
    control: { kind: "sidecar", suffix: ".ok", pattern: /^rows=(?<rows>\d+)\s*$/ }
  }),
  FileContract.make({
    table: returns,
    prefix: "rueckweg/",
    delimiter: ";",
    encoding: "windows-1252",
    zone: "Europe/Berlin",
    formats: {
      received_at: "dd.MM.yyyy HH:mm",
      quantity: { kind: "number", decimal: ",", group: "." },
      value_eur: { kind: "number", decimal: ",", group: "." }
    },
    fill: { file: "file" },
    order: { by: "name", pattern: /(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)/ },
    control: { kind: "trailer", mark: "SUMME", count: 1, sum: { field: 3, column: "quantity" } }
  }),
  FileContract.make({
    table: stockLevels,
    prefix: "stockwell/",
    glob: "*.zip",
    delimiter: "\t",
    encoding: "utf-16le",
    fill: { file: "file" },
    order: { by: "name", pattern: /(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)/ },
    redelivery: "replaces"
  })
] as const

/** Those whose every version operations looks back on. */
export const facts = [shipments, shipmentEvents] as const

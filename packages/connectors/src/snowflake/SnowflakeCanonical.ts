import type { ColumnType } from "@northstar/core/Column"

/**
 * Snowflake's canonical text of a value of a curated column, the same text that `canonicalDuckDb` and `canonicalPostgres`
 * give; see there for the forms. NULL stays NULL.
 */
export const canonicalSnowflake = (value: string, type: ColumnType): string => {
  switch (type.kind) {
    case "text":
    case "json":
    case "uuid":
      return value
    case "int16":
    case "int32":
    case "int64":
      return `TO_VARCHAR(${value})`
    case "decimal":
      // Whether a zero stands before the point when there is no room for one is not documented.
      return type.precision === type.scale
        ? `CASE WHEN ${value} < 0 THEN '-0' ELSE '0' END || LTRIM(TO_VARCHAR(${value}), '-0')`
        : `TO_VARCHAR(${value})`
    case "boolean":
      return `CASE WHEN ${value} THEN 't' WHEN NOT ${value} THEN 'f' END`
    case "date":
      return `TO_VARCHAR(DATEDIFF(DAY, '1970-01-01'::DATE, ${value}))`
    case "time":
      return `TO_VARCHAR(DATEDIFF(MICROSECOND, '00:00:00'::TIME(6), ${value}))`
    case "timestamp":
    case "timestamptz":
      return `TO_VARCHAR(DATE_PART(EPOCH_MICROSECOND, ${value}))`
    case "float32":
      return float(value, single)
    case "float64":
      return float(value, double)
    case "bytes":
      return `LOWER(HEX_ENCODE(${value}))`
  }
}

/** A NUMBER below 2⁶⁰: the first 15 hex digits of the MD5 of the text's UTF-8 bytes. */
export const digestSnowflake = (text: string): string => `TO_NUMBER(LEFT(MD5(${text}), 15), 'XXXXXXXXXXXXXXX')`

/** An IEEE 754 format: its least exponent of a normal number and the bits of its fraction. */
interface Format {
  readonly least: number
  readonly greatest: number
  readonly fraction: number
  readonly hexDigits: number
  readonly signBit: bigint
  readonly infinity: string
}

const single: Format = {
  least: -126,
  greatest: 127,
  fraction: 23,
  hexDigits: 8,
  signBit: 2n ** 31n,
  infinity: "f800000"
}

const double: Format = {
  least: -1022,
  greatest: 1023,
  fraction: 52,
  hexDigits: 16,
  signBit: 2n ** 63n,
  infinity: "ff0000000000000"
}

/**
 * Hex of the IEEE 754 bytes, computed: Snowflake has no function that gives them. FLOAT is a double, so a single is rounded
 * first. Powers of two scale without rounding, so that a double's significand is exact; the logarithm may be one off near a
 * power of two, which its quotient shows. Exponent and significand add up, since the significand's leading bit lies where
 * the exponent begins.
 */
const float = (value: string, { fraction, greatest, hexDigits, infinity, least, signBit }: Format): string => {
  const isDouble = hexDigits === 16
  const size = `ABS(${value})`
  const guess = `GREATEST(${least}, LEAST(${greatest}, FLOOR(LOG(2, NULLIF(${size}, 0)))))`
  const quotient = `${size} * POWER(2, 0 - ${guess})`
  const exponent = `(${guess} + CASE WHEN ${quotient} >= 2 THEN 1 WHEN ${quotient} < 1 AND ${guess} > ${least} THEN -1 ELSE 0 END)`
  const scaled = `(${size} * POWER(2, 0 - ${exponent}) * ${2n ** BigInt(fraction)})`
  // A double beyond 2⁵² has no fraction: adding and taking away as much rounds to the nearest whole number, half to even.
  const whole = isDouble ? scaled : `((${scaled} + 4503599627370496::FLOAT) - 4503599627370496::FLOAT)`
  const significand = `CAST(${whole} AS NUMBER(38,0))`
  const bits = `CAST(${exponent} - ${least} AS NUMBER(38,0)) * ${2n ** BigInt(fraction)} + ${significand} + CASE WHEN ${value} < 0 THEN ${signBit} ELSE 0 END`
  const hex = `LOWER(LPAD(TRIM(TO_VARCHAR(${bits}, '${"X".repeat(hexDigits)}')), ${hexDigits}, '0'))`
  return `CASE WHEN ${value} = 'NaN'::FLOAT THEN 'nan' WHEN ${isDouble ? `${value} = 0` : `${size} <= POWER(2, -150)`} THEN '0' WHEN ${value} = 'inf'::FLOAT THEN '7${infinity}' WHEN ${value} = '-inf'::FLOAT THEN 'f${infinity}' ELSE ${hex} END`
}

/** Where prices hold. */
export type Region = "us-east-1" | "eu-west-1"

/** Snowflake editions; masking policies need Enterprise, PCI DSS Business Critical. */
export type Edition = "standard" | "enterprise" | "businessCritical"

/** A list price in US dollars without discount or tax. */
export interface Price {
  readonly usd: Readonly<Record<Region, number>>
  readonly unit: string
  readonly source: string
  /** False where no stored copy of the vendor's own price list, or two agreeing others, were found for every region. */
  readonly confirmed: boolean
}

/** The day on which prices were last looked up. */
export const asOf = "2026-11-23"

const price = (unit: string, usEast1: number, euWest1: number, source: string, confirmed: boolean): Price => ({
  usd: { "us-east-1": usEast1, "eu-west-1": euWest1 },
  unit,
  source,
  confirmed
})

const snowflakeList = "Snowflake Service Consumption Table, on demand, AWS"
const aws = (service: string) => `aws.amazon.com/${service}/pricing`

/** A credit by edition. */
export const credit: Readonly<Record<Edition, Price>> = {
  standard: price("credit", 2, 2.6, `${snowflakeList}; US rates also finout.io and cpard.xyz`, false),
  enterprise: price("credit", 3, 3.9, `${snowflakeList}; US rates also finout.io and cpard.xyz`, false),
  businessCritical: price("credit", 4, 5.2, `${snowflakeList}; US rates also finout.io and cpard.xyz`, false)
}

/** Credits that an hour of a warehouse takes, by size; each size doubles the one before. */
export const creditsPerHour = { XSMALL: 1, SMALL: 2, MEDIUM: 4, LARGE: 8, XLARGE: 16 } as const

/** Credits for each GB that Snowpipe loads (Parquet: as stored), since 8 December 2025. */
export const snowpipeCreditsPerGb = 0.0037

/** All other prices. */
export const prices = {
  snowflakeStorage: price("TB-month", 40, 40, `${snowflakeList}; capacity contracts pay about 23`, false),
  s3Storage: price("GB-month", 0.023, 0.023, aws("s3"), false),
  s3Put: price("1,000 requests", 0.005, 0.005, aws("s3"), false),
  s3Get: price("1,000 requests", 0.0004, 0.0004, aws("s3"), false),
  fargateVcpu: price("vCPU-hour", 0.04048, 0.04048, `${aws("fargate")}; US rate also vantage.sh and wring.co`, false),
  fargateMemory: price("GB-hour", 0.004445, 0.004445, `${aws("fargate")}; US rate also vantage.sh and wring.co`, false),
  crossZone: price("GB", 0.02, 0.02, `${aws("ec2/on-demand")} (0.01 in each direction)`, false),
  natHour: price("gateway-hour", 0.045, 0.048, aws("vpc"), false),
  natData: price("GB", 0.045, 0.048, aws("vpc"), false),
  endpointHour: price("endpoint-hour", 0.01, 0.011, aws("privatelink"), false),
  endpointData: price("GB", 0.01, 0.01, aws("privatelink"), false),
  sqs: price("million requests", 0.4, 0.4, aws("sqs"), false),
  logs: price("GB", 0.5, 0.57, aws("cloudwatch"), false),
  metric: price("metric-month", 0.3, 0.3, aws("cloudwatch"), false)
} as const

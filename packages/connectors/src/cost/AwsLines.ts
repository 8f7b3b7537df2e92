import { type Assumptions, daysPerMonth, hoursPerMonth } from "./Assumptions.ts"
import { type Line, line } from "./Line.ts"
import type { LoadPlan } from "./Cycle.ts"
import { type Price, prices } from "./Prices.ts"

/** What AWS bills: the landing bucket, the tasks and what lies between. The source database is not part of it. */
export const awsLines = (of: Assumptions, plan: LoadPlan): ReadonlyArray<Line> => {
  const item = (id: string, description: string, { unit, usd }: Price, quantity: number, assumption: string) =>
    line("aws", id, description, { quantity, unit, unitPriceUsd: usd[of.region] }, assumption)
  const rawGbPerMonth = (of.rawBytesPerDay / 1e9) * daysPerMonth
  const segmentGb = (of.rawBytesPerDay / 1e9 / of.segmentCompression) * of.rawDays
  const objects = of.objectsPerMinute * 60 * hoursPerMonth
  // Each object is read by COPY and by capture's own check; each cycle looks for new records a few times.
  const reads = objects * 2 + plan.cyclesPerMonth * 10
  const zones = 2
  const twoZones = zones * hoursPerMonth
  return [
    item(
      "s3-storage",
      "Landing log",
      prices.s3Storage,
      segmentGb,
      `${of.rawDays} days of ${of.rawBytesPerDay / 1e12} TB, compressed ${of.segmentCompression} times`
    ),
    item(
      "s3-put",
      "Segments and commit records written",
      prices.s3Put,
      objects / 1000,
      `${of.objectsPerMinute} objects a minute`
    ),
    item("s3-get", "Segments and commit records read", prices.s3Get, reads / 1000, "twice each, and ten a cycle"),
    item(
      "tasks-vcpu",
      "Capture and load tasks (Fargate)",
      prices.fargateVcpu,
      of.taskVcpu * hoursPerMonth,
      `${of.taskVcpu} vCPU always on`
    ),
    item(
      "tasks-memory",
      "Memory of the tasks",
      prices.fargateMemory,
      of.taskMemoryGb * hoursPerMonth,
      `${of.taskMemoryGb} GB always on`
    ),
    item(
      "jobs-vcpu",
      "Scheduled jobs (Fargate)",
      prices.fargateVcpu,
      of.jobVcpuHoursPerMonth,
      `${of.jobVcpuHoursPerMonth} vCPU-hours`
    ),
    item("jobs-memory", "Memory of the jobs", prices.fargateMemory, of.jobVcpuHoursPerMonth * 4, "4 GB a vCPU"),
    item(
      "cross-zone",
      "Replication stream between zones",
      prices.crossZone,
      rawGbPerMonth * of.crossZoneShare,
      `${of.crossZoneShare * 100} % of the stream`
    ),
    item(
      "endpoints",
      "Interface endpoints (Snowflake, logs, secrets, queue, keys)",
      prices.endpointHour,
      5 * twoZones,
      "5 endpoints in 2 zones; S3 by a gateway endpoint without charge"
    ),
    item(
      "endpoint-data",
      "Data through interface endpoints",
      prices.endpointData,
      200,
      "statements and results, logs; segments go through S3"
    ),
    item("nat", "NAT gateways for the payment API", prices.natHour, twoZones, "2 zones"),
    item("nat-data", "Data through NAT", prices.natData, of.natGbPerMonth, `${of.natGbPerMonth} GB`),
    item("queue", "File notifications (SQS)", prices.sqs, of.queueRequestsPerMonth / 1e6, "long polling and messages"),
    item("logs", "Logs ingested (CloudWatch)", prices.logs, of.logGbPerMonth, `${of.logGbPerMonth} GB`),
    item("metrics", "Metrics (CloudWatch)", prices.metric, of.metrics, `${of.metrics} of our own`)
  ]
}

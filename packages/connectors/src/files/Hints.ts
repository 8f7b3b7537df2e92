import { Effect, Redacted, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as S3Failure from "../s3/S3Failure.ts"

/**
 * Tells that it may be worth listing the drop folder now. Only a hint: what it says of files is not read, so that lost,
 * repeated and reordered notifications change nothing.
 */
export interface Hints {
  /** Waits for a hint. */
  readonly next: Effect.Effect<void, ConnectorError>
}

/** An SQS queue that a bucket's notifications go to. */
export interface QueueOptions {
  readonly queueUrl: string
  readonly region: string
  readonly endpoint?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: Redacted.Redacted }
}

/** Long polling: SQS keeps a request open for at most 20 seconds. */
const waitSeconds = 20
const messagesMax = 10

/**
 * Hints from an SQS queue. Messages are removed as they are heard: whatever they told of is found by listing, now or at the
 * next interval.
 */
export const queue = (options: QueueOptions): Effect.Effect<Hints, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const { queueUrl: QueueUrl, region, endpoint, credentials } = options
    const attempt = <A>(operation: string, run: (signal: AbortSignal) => Promise<A>) =>
      Effect.tryPromise({ try: run, catch: (cause) => S3Failure.from("notifications", operation, cause) })
    const sdk = yield* attempt("load the AWS SDK", () => import("@aws-sdk/client-sqs"))
    const client = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new sdk.SQSClient({
            region,
            ...(endpoint === undefined ? {} : { endpoint }),
            ...(credentials === undefined
              ? {}
              : {
                  credentials: {
                    accessKeyId: credentials.accessKeyId,
                    secretAccessKey: Redacted.value(credentials.secretAccessKey)
                  }
                })
          })
      ),
      (client) => Effect.sync(() => client.destroy())
    )
    const receive = attempt("receive notifications", async (abortSignal) => {
      const command = new sdk.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: messagesMax,
        WaitTimeSeconds: waitSeconds
      })
      const { Messages = [] } = await client.send(command, { abortSignal })
      if (Messages.length === 0) return false
      const Entries = Messages.map(({ ReceiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: ReceiptHandle ?? ""
      }))
      await client.send(new sdk.DeleteMessageBatchCommand({ QueueUrl, Entries }), { abortSignal })
      return true
    })
    return { next: Effect.asVoid(Effect.repeat(receive, { until: (heard) => heard })) }
  })

import { Schema } from "effect"

/** A batch broke an expectation of severity `"fail"`; it did not reach the sink. `examples` say where, never what. */
export class ExpectationFailed extends Schema.TaggedError<ExpectationFailed>()("ExpectationFailed", {
  expectation: Schema.String,
  failed: Schema.Int,
  examples: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const where = this.examples.length === 0 ? "" : ` (first at ${this.examples.join(", ")})`
    return (
      `expectation ${this.expectation}: ${this.failed} rows break it${where}. The batch was not published: ` +
      "correct the source or the expectation, then run again"
    )
  }
}

/**
 * Why a file is refused as a whole. Thrown where bytes are decoded, and turned into the delivery's verdict by
 * `Delivery`. Holds names, counts and lines, never a value.
 */
export class Refusal extends Error {
  readonly detail: string
  /** What a person does next. */
  readonly action: string

  constructor(detail: string, action: string = redeliver) {
    super(detail)
    this.detail = detail
    this.action = action
  }
}

const redeliver = "Ask the partner to deliver the file again: new content under the same key is read as a new delivery"

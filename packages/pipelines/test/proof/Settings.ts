/** What the environment says about the length of random proofs. */

/** Determines what a random proof does; said by the proof, so that it can be repeated. */
export const seed: string = process.env["NORTHSTAR_SEED"] ?? new Date().toISOString()

/** Whether every case of the crash matrix runs, or a sample. */
export const isMatrixFull: boolean = process.env["NORTHSTAR_MATRIX"] === "full"

/** Whether random histories have their full length, or a short one. */
export const isOracleFull: boolean = process.env["NORTHSTAR_ORACLE"] === "full"

/** `NORTHSTAR_SOURCES=full`: every failpoint of Stripe and of files, fifty kills, and a hundred where card data is planted. */
export const isSourcesFull: boolean = process.env["NORTHSTAR_SOURCES"] === "full"

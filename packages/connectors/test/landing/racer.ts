import { Console, Effect } from "effect"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"

/** Creates `race/0`, `race/1`, … in the folder given, 64 KiB each, and prints the numbers it won. */
const [folder = "", count = "0"] = process.argv.slice(2)

const race = Effect.gen(function* () {
  const store = yield* ObjectStore
  for (let n = 0; n < Number(count); n++) {
    const outcome = yield* store.create(`race/${n}`, new Uint8Array(65_536).fill(n))
    if (outcome === "created") yield* Console.log(n)
  }
})

await Effect.runPromise(race.pipe(Effect.provide(FolderStore.layer(folder))))

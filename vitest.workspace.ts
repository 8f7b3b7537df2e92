import { defineConfig } from "vitest/config"

/** Tests read the packages' sources, never a stale build. */
const project = (name: string, root: string) => ({
  ssr: { resolve: { conditions: ["northstar-source"] } },
  resolve: { conditions: ["northstar-source"] },
  test: { name, root, include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 }
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project("core", "packages/core"),
      project("connectors", "packages/connectors"),
      project("pipelines", "packages/pipelines"),
      project("cli", "packages/cli"),
      project("examples", "examples")
    ]
  }
})

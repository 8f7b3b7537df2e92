import type { StreamKey } from "@northstar/core/Position"
import type { Project } from "./Project.ts"

/** The stream of a project's source in the landing log: one slot carries all its tables. */
export const stream = "main"

/** Key under which capture is known. */
export const captureKey = (project: Project): StreamKey => ({ pipeline: project.name, stream: `${stream}/capture` })

/** Key of the watermarks that ingest loads by. */
export const loadKey = (project: Project): StreamKey => ({ pipeline: project.name, stream })

/** Key of a backfill's own watermarks: it never moves those of ingest. */
export const backfillKey = (project: Project, id: string): StreamKey => ({
  pipeline: project.name,
  stream: `backfill/${id}`
})

import type { Masked } from "@northstar/connectors/project/Quarantine"

/** A text as it may be shown: NULL as `∅`, a masked one as dots. */
export const masked = ({ text }: Masked): string => (text === undefined ? "••••" : (text ?? "∅"))

/** Law suites and faults for everyone who writes a source, a sink, a stage or an expectation. */
export * as ChangeLaws from "./ChangeLaws.ts"
export * as ExpectationLaws from "./ExpectationLaws.ts"
export * as FaultInjector from "./FaultInjector.ts"
export * as Histories from "./Histories.ts"
export * as Law from "./Law.ts"
export * as SinkLaws from "./SinkLaws.ts"
export * as SourceLaws from "./SourceLaws.ts"
export * as StageLaws from "./StageLaws.ts"

export { type Credentials, knownAccounts } from './accounts.ts'
export type { Control, StackCalls } from './control.ts'
export { askStack, askToRestart } from './control-client.ts'
export { cacheFolder, ensureJars } from './jars.ts'
export { type KafkaOptions, type RunningKafka, startKafka } from './kafka.ts'
export {
  type NetworkFault,
  type NetworkFaultKind,
  type NetworkOrder,
  type NetworkTarget,
  networkOrderSchema,
} from './network/fault.ts'
export type { Network, NetworkHow } from './network/network.ts'
export { type FaultyProxy, startFaultyProxy } from './network/proxy.ts'
export type { NetworkRule, NetworkState } from './network/rules.ts'
export { nodeFlags } from './node-flags.ts'
export { freePorts } from './ports.ts'
export { type PostgresOptions, type RunningPostgres, startPostgres } from './postgres.ts'
export { Problem } from './problem.ts'
export type { RestartStep } from './restart.ts'
export { type RunFile, readRunFile } from './run-file.ts'
export type { Disk } from './small-disk.ts'
export { type Stack, type StackOptions, startStack } from './stack.ts'
export type { Supervised } from './supervisor.ts'

export * from './reader.ts'
export * from './scheduler.ts'
export * from './timers.ts'

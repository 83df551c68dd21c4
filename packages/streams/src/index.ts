export * from './reader.ts'
export * from './scheduler.ts'

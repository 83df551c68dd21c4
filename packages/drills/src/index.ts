export * from './checker.ts'
export type * from './history.ts'
export * from './print.ts'

export * from './reader.ts'

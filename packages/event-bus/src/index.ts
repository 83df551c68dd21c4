export { type KafkaBusOptions, kafkaEventBus } from './kafka/bus.ts'
export type { KafkaSettings } from './kafka/client.ts'
export { ensureTopics } from './kafka/topics.ts'
export * from './types.ts'

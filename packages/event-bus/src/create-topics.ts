import { kafkaSettingsFromEnv } from './kafka/env.ts'
import { ensureTopics } from './kafka/topics.ts'

// Makes the topics of the registry that are missing. Environment: KAFKA_BROKERS and the like, KAFKA_REPLICATION (1).
const replication = Number(process.env.KAFKA_REPLICATION ?? '1')
try {
  if (!Number.isInteger(replication) || replication < 1)
    throw new Error('KAFKA_REPLICATION must be a number from 1')
  const made = await ensureTopics(kafkaSettingsFromEnv(process.env, 'klatsch-topics'), { replication })
  console.log(made.length === 0 ? 'all topics are there' : `topics made: ${made.join(', ')}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

import type { Log } from '../types.ts'
import type { KafkaSettings } from './client.ts'

type Env = Readonly<Record<string, string | undefined>>

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The settings that scripts take from KAFKA_BROKERS, KAFKA_SSL and KAFKA_SASL_MECHANISM, _USERNAME, _PASSWORD. */
export function kafkaSettingsFromEnv(env: Env, clientId: string, log: Log = quiet): KafkaSettings {
  const brokers = (env.KAFKA_BROKERS ?? '').split(',').filter((broker) => broker !== '')
  if (brokers.length === 0)
    throw new Error('KAFKA_BROKERS is not set: host:port, several separated by commas')
  const mechanism = mechanisms.find((name) => name === env.KAFKA_SASL_MECHANISM?.toLowerCase())
  if (env.KAFKA_SASL_MECHANISM && !mechanism)
    throw new Error(`KAFKA_SASL_MECHANISM must be one of ${mechanisms.join(', ')}`)
  return {
    brokers,
    clientId,
    log,
    ssl: env.KAFKA_SSL === 'true',
    ...(mechanism && {
      sasl: { mechanism, username: env.KAFKA_SASL_USERNAME ?? '', password: env.KAFKA_SASL_PASSWORD ?? '' },
    }),
  }
}

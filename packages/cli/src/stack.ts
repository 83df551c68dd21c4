import { resolve } from 'node:path'
import { type KafkaSettings, kafkaSettingsFromEnv } from '@klatsch/event-bus'
import { type RunFile, readRunFile } from '@klatsch/local-stack'

/** Said to the person at the terminal; the command ends with exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError'
}

export const dataDirOf = (env: NodeJS.ProcessEnv): string =>
  resolve(env.KLATSCH_ROOT ?? '.', env.KLATSCH_DATA_DIR || '.klatsch')

/** What `npm start` runs on this data folder. @throws CliError when nothing does. */
export function runningStack(env: NodeJS.ProcessEnv): RunFile {
  const dataDir = dataDirOf(env)
  const run = readRunFile(dataDir)
  if (!run)
    throw new CliError(`nothing runs on ${dataDir}. Start it with "npm start", or set KLATSCH_DATA_DIR.`)
  return run
}

/** The Kafka to look at: the one named by the environment, else that of the running stack. */
export function kafkaOf(env: NodeJS.ProcessEnv): KafkaSettings {
  const brokers = env.KAFKA_BROKERS || runningStack(env).brokers
  return kafkaSettingsFromEnv({ ...env, KAFKA_BROKERS: brokers }, 'klatsch-cli')
}

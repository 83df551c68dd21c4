import { resolve } from 'node:path'
import { type KafkaSettings, kafkaSettingsFromEnv } from '@klatsch/event-bus'
import { askStack, type Control, type RunFile, readRunFile, type StackCalls } from '@klatsch/local-stack'

/** Said to the person at the terminal; the command ends with exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError'
}

/** What commands have of where they were given. `signal`: Ctrl-C. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
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

/** Where the running stack takes orders; only the person that started it can read that. @throws CliError */
export function controlOf(env: NodeJS.ProcessEnv): Control {
  const { control } = runningStack(env)
  if (!control) throw new CliError('the stack is still starting.')
  return control
}

/** Orders something of the running stack. @throws CliError with its reason when it fails. */
export async function order<C extends keyof StackCalls>(
  env: NodeJS.ProcessEnv,
  call: C,
  argument: Parameters<StackCalls[C]>[0] | null,
): Promise<Awaited<ReturnType<StackCalls[C]>>> {
  return askStack(controlOf(env), call, argument).catch((cause: Error) => {
    throw new CliError(cause.message, { cause })
  })
}

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type Stack } from '@klatsch/local-stack'
import { until } from './chaos.ts'

/** One more instance of a service than the stack has, which nobody starts again. */
export interface Instance {
  /** Where it takes calls, from where the drill is run; absent where it can be reached by the stack alone. */
  readonly url?: string
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGKILL'): Promise<void>
  readonly ended: Promise<void>
}

const ANSWER_MS = 3_000

/** What a gateway that is launched is called on the log, and no other before it. */
const instanceNameOf = (name: string): string => `${name}_${randomUUID().slice(0, 8)}`
/** Whether what is called so on the log was launched under that name. */
export const isInstanceOf = (name: string, instance: string): boolean => instance.startsWith(`${name}_`)

/** Starts it as a process of its own, and resolves when it is ready. `env`: what the stack's own services were started with. */
export async function launchInstance(
  stack: Pick<Stack, 'brokers' | 'urls' | 'databaseUrl'>,
  service: 'chat' | 'gateway' | 'presence',
  options: {
    readonly name: string
    readonly env: NodeJS.ProcessEnv
    /** Where its log goes, as `<name>.log`. */
    readonly logs: string
  },
): Promise<Instance> {
  const [port = 0] = await freePorts(1)
  const main = fileURLToPath(new URL(`../../../../services/${service}/src/main.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: {
      ...options.env,
      KAFKA_BROKERS: stack.brokers,
      // Chat alone has business with the database.
      DATABASE_URL: service === 'chat' ? stack.databaseUrl : undefined,
      CHAT_URL: stack.urls.chat,
      LAB_URL: stack.urls.lab,
      HOST: '127.0.0.1',
      ...(service === 'gateway' && { GATEWAY_INSTANCE: instanceNameOf(options.name) }),
      PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(join(options.logs, `${options.name}.log`), { flags: 'a' })
  for (const output of [child.stdout, child.stderr]) output.pipe(log, { end: false })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  void ended.then(() => log.end())
  await until(`${options.name} is ready`, async () => {
    if (child.exitCode !== null) throw new Error(`${options.name} ended at once; ${log.path} says why`)
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(
      () => undefined,
    )
    return answer?.ok ?? false
  })
  return { url, ended, signal: async (signal) => void child.kill(signal) }
}

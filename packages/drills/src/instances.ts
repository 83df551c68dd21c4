import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePorts, type Stack } from '@klatsch/local-stack'
import { until } from './chaos.ts'

/** One more instance of a service than the stack has, as a process of its own, which nobody starts again. */
export interface Instance {
  readonly url: string
  signal(signal: NodeJS.Signals): void
  readonly ended: Promise<void>
}

const ANSWER_MS = 3_000

/** Starts it and resolves when it is ready. `env`: what the stack's own services were started with. */
export async function launchInstance(
  stack: Pick<Stack, 'brokers' | 'urls'>,
  service: 'gateway' | 'presence',
  env: NodeJS.ProcessEnv,
): Promise<Instance> {
  const [port = 0] = await freePorts(1)
  const main = fileURLToPath(new URL(`../../../services/${service}/src/main.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: {
      ...env,
      KAFKA_BROKERS: stack.brokers,
      CHAT_URL: stack.urls.chat,
      PORT: String(port),
      LOG_LEVEL: 'error',
    },
    stdio: 'inherit',
  })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await until(`${service} is ready`, async () => {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(
      () => undefined,
    )
    return answer?.ok ?? false
  })
  return { url, ended, signal: (signal) => void child.kill(signal) }
}

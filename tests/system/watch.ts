import { readFileSync } from 'node:fs'
import { type Attempt, attemptSchema, topics } from '@klatsch/contracts'
import { readRange } from '@klatsch/event-bus'
import { askStack, type NetworkState, type NetworkTarget, readRunFile } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'
import { inject } from 'vitest'

const EVERY_MS = 1_000

/** What was seen of the running stack at one moment. */
export interface Sample {
  readonly at: number
  /** Of each part, in megabytes. */
  readonly memory: Readonly<Record<string, number>>
  /** Connections that each service tried to make since the stack started, by server. */
  readonly tried: Readonly<Record<NetworkTarget, Readonly<Record<string, number>>>>
}

export const runFile = () => {
  const run = readRunFile(inject('stack').dataDir)
  if (!run?.control) throw new Error('no stack runs there')
  return { ...run, control: run.control }
}

const tried = ({ routes }: NetworkState, target: NetworkTarget): Record<string, number> =>
  Object.fromEntries(
    routes.filter((route) => route.target === target).map(({ service, accepted }) => [service, accepted]),
  )

async function sample(): Promise<Sample> {
  const { parts, control } = runFile()
  const network = await askStack(control, 'network/state', null)
  const memory = Object.entries(parts).flatMap(([name, { process }]) =>
    process ? [[name, residentMb(process.pid)] as const] : [],
  )
  return {
    at: Date.now(),
    memory: Object.fromEntries(memory),
    tried: { kafka: tried(network, 'kafka'), postgres: tried(network, 'postgres') },
  }
}

function residentMb(pid: number): number {
  try {
    const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Math.round(Number(kb ?? 0) / 1_024)
  } catch {
    return 0
  }
}

/** Looks at the stack once a second until it is told to stop, and then tells what it saw. */
export function watchStack(): { stop(): Promise<readonly Sample[]> } {
  const over = new AbortController()
  const samples: Sample[] = []
  const watching = (async () => {
    while (!over.signal.aborted) {
      samples.push(await sample())
      await pause(systemScheduler, EVERY_MS, over.signal)
    }
  })()
  return {
    async stop() {
      over.abort()
      await watching
      return samples
    },
  }
}

async function readSince(topic: string, time: number, onValue: (value: unknown) => void): Promise<void> {
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const settings = { brokers: [runFile().brokers], clientId: 'outage-test', log: quiet }
  const signal = AbortSignal.timeout(30_000)
  await readRange(settings, { topic, from: { kind: 'time', time }, signal }, ({ value }) =>
    onValue(JSON.parse(value.toString())),
  )
}

/** What went wrong with records since then, as the services told it on `lab.attempts`. */
export async function attemptsSince(time: number): Promise<readonly Attempt[]> {
  const found: Attempt[] = []
  await readSince(topics.attempts.name, time, (value) => {
    const attempt = attemptSchema.safeParse(value)
    if (attempt.success) found.push(attempt.data)
  })
  return found
}

/** How many commands came onto the log since then: each message once, and once more each time its sender sent it again. */
export async function commandsSince(time: number): Promise<number> {
  let count = 0
  await readSince(topics.commands.name, time, () => {
    count += 1
  })
  return count
}

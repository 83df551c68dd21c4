import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamPlace } from '../events.ts'
import type { Room } from '../people.ts'
import { type BenchProcess, canPin } from '../processes.ts'
import type { Stack } from '../stack.ts'

/** A message of a hundred characters, as people write them. */
export const MESSAGE_TEXT =
  'Did anyone look at the numbers from last night yet? I think the second run was better than the first'

/** Where these rooms' streams end. */
export async function placesOf({ sql }: Stack, rooms: readonly Room[]): Promise<StreamPlace[]> {
  const { rows } = await sql.query<{ stream: string; seq: string; chain: string }>(
    'SELECT stream, seq, chain FROM streams WHERE stream = ANY($1::text[])',
    [rooms.map((room) => room.subject)],
  )
  return rows.map(({ stream, seq, chain }) => ({ subject: stream, seq: Number(seq), chain }))
}

/** The core of the server that is measured, and that of everything else. */
export const CORE = { server: 0, rest: 1 }

/** Binds Kafka and Postgres to the core of the rest while `work` runs. */
export async function withServersPinned<T>({ kafka, postgres }: Stack, work: () => Promise<T>): Promise<T> {
  const pids = [kafka.pid, postgres.pid]
  for (const pid of pids) pin(pid, String(CORE.rest))
  try {
    return await work()
  } finally {
    for (const pid of pids) pin(pid, '0-1')
  }
}

/** Binds a running process, with all its threads, to cores. */
function pin(pid: number | undefined, cores: string): void {
  if (canPin && pid !== undefined)
    execFileSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' })
}

/** How much of a core a process took while `work` ran, in percent. */
export async function shareOfCore<T>(
  process: BenchProcess,
  work: () => Promise<T>,
): Promise<{ result: T; percent: number }> {
  const before = (await process.usage()).cpuMs
  const begin = performance.now()
  const result = await work()
  const percent = (((await process.usage()).cpuMs - before) / (performance.now() - begin)) * 100
  return { result, percent }
}

const SETTLE_MS = 1_500

/** What a process uses after its garbage was collected: resident bytes, and those that JavaScript still needs. */
export async function settled(server: BenchProcess): Promise<{ resident: number; needed: number }> {
  await sleep(SETTLE_MS)
  await server.usage(true)
  await sleep(SETTLE_MS)
  const { rss, heapUsed, external } = await server.usage(true)
  return { resident: rss, needed: heapUsed + external }
}

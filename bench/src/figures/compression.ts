import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type Figure, ROUNDS, type Row, row } from '../figure.ts'
import type { Deflating, DeflatingWsCalls } from '../floors/deflating-ws.ts'
import type { LoadCalls } from '../load/main.ts'
import { startProcess } from '../processes.ts'
import { settled } from './common.ts'

const FIRST = 100
const SOCKETS = 1_000
const EVENTS = 50
const LIMIT_MS = 60_000
const OFFER = 'permessage-deflate'

/** Each way of compressing beside the same work without. */
const ways = {
  each: {
    what: 'compressed for each socket, no context kept',
    floor: 'off',
    against: 'sent to each, not compressed',
  },
  context: {
    what: 'compressed for each socket, a context kept',
    floor: 'off',
    against: 'sent to each, not compressed',
  },
  once: {
    what: 'compressed once for all, no context kept',
    floor: 'shared',
    against: 'one frame for all, not compressed',
  },
} as const

interface Measured {
  readonly bytes: number
  readonly cpuUs: number
  readonly memoryKb: number
}

export const compression: Figure = {
  name: 'compression',
  describe: 'permessage-deflate in three ways: bytes, processor time and memory, against none',
  async measure(context) {
    const measured: Record<Deflating, Measured[]> = { off: [], each: [], context: [], shared: [], once: [] }
    for (let round = 0; round < (context.quick ? 1 : ROUNDS); round += 1) {
      for (const way of Object.keys(measured) as Deflating[]) measured[way].push(await measure(context, way))
    }
    return (Object.keys(ways) as (keyof typeof ways)[]).flatMap((way) => {
      const { what, floor, against } = ways[way]
      const line = (name: string, unit: string, of: (each: Measured) => number): Row =>
        row({ what: `${name}, ${what}`, unit, against }, measured[way].map(of), measured[floor].map(of))
      return [
        line('bytes of an event on the wire', 'B', ({ bytes }) => bytes),
        line("the server's processor time for a delivery", 'µs', ({ cpuUs }) => cpuUs),
        line(`memory of a connection after ${EVENTS} events`, 'KB', ({ memoryKb }) => memoryKb),
      ]
    })
  },
}

async function measure({ dir }: Context, way: Deflating): Promise<Measured> {
  const server = startProcess<DeflatingWsCalls>(new URL('../floors/deflating-ws.ts', import.meta.url), {
    name: 'deflating-ws',
    dir,
    env: { DEFLATE: way },
  })
  const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), { name: 'load', dir })
  try {
    const port = await server.call('port')
    const seats = (count: number) => Array.from({ length: count }, () => ({ path: '/', extensions: OFFER }))
    await load.call('open', { group: 'first', port, seats: seats(FIRST) })
    await server.call('talk', { count: EVENTS })
    const before = (await settled(server)).resident
    await load.call('close', { group: 'first' })
    await load.call('open', { group: 'all', port, seats: seats(FIRST + SOCKETS) })
    const { cpuMs } = await server.usage()
    await server.call('talk', { count: EVENTS })
    const deliveries = (FIRST + SOCKETS) * EVENTS
    const deadline = performance.now() + LIMIT_MS
    let received = await load.call('received', { group: 'all' })
    while (received.frames < deliveries) {
      if (performance.now() > deadline) throw new Error(`${received.frames} of ${deliveries} deliveries`)
      await sleep(20)
      received = await load.call('received', { group: 'all' })
    }
    const cpuUs = (((await server.usage()).cpuMs - cpuMs) * 1_000) / deliveries
    const memoryKb = ((await settled(server)).resident - before) / SOCKETS / 1_024
    return { bytes: received.bytes / deliveries, cpuUs, memoryKb }
  } finally {
    await load.stop()
    await server.stop()
  }
}

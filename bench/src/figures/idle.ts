import { type Figure, row } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import type { Seat } from '../load/group.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, seatInRooms } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { settled } from './common.ts'

const SOCKETS = 5_000
const ROOMS = 100
/** Opened before the first look, so that what is made once is made. */
const FIRST = 200
const IDLE_ROUNDS = 2

const OTHERS = 'Socket.IO 30 KB, Prosody 34, Centrifugo 51, Chatto 66, ejabberd 67 (bare ws 10)'

/** Bytes, or kilobytes of a connection. */
type Memory = Awaited<ReturnType<typeof settled>>

export const idle: Figure = {
  name: 'idle',
  describe: `memory of an idle connection at ${SOCKETS.toLocaleString('en')} sockets, against bare ws`,
  async measure(context) {
    const stack = await context.stack()
    const { dir } = context
    const chat = await stack.startChat()
    const people = await makePeople(stack, SOCKETS)
    await makeRooms(stack, seatInRooms(people, ROOMS))
    const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), { name: 'load', dir })

    async function perConnection(
      server: BenchProcess,
      port: number,
      seats: readonly Seat[],
    ): Promise<Memory> {
      await load.call('open', { group: 'first', port, seats: seats.slice(0, FIRST) })
      const before = await settled(server)
      await load.call('open', { group: 'others', port, seats: seats.slice(FIRST) })
      const after = await settled(server)
      for (const group of ['first', 'others']) await load.call('close', { group })
      const each = (what: keyof Memory) => (after[what] - before[what]) / (SOCKETS - FIRST) / 1_024
      return { resident: each('resident'), needed: each('needed') }
    }

    const bareSeats = people.map((_, index): Seat => ({ path: `/${index % ROOMS}` }))
    const seats = people.map(({ token }): Seat => ({ path: '/ws', hello: { token, follow: 'all' } }))
    const ours: Memory[] = []
    const floor: Memory[] = []
    try {
      for (let round = 0; round < IDLE_ROUNDS; round += 1) {
        const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
          name: 'bare-ws',
          dir,
        })
        floor.push(await perConnection(bare, await bare.call('port'), bareSeats))
        await bare.stop()
        const gateway = await stack.startGateway(chat)
        ours.push(await perConnection(gateway.process, gateway.port, seats))
        await gateway.process.stop()
      }
    } finally {
      for (const each of [load, chat.process]) await each.stop()
    }
    const what = `memory of an idle connection, of ${SOCKETS.toLocaleString('en')} people in ${ROOMS} rooms`
    const resident = (of: readonly Memory[]) => of.map((each) => each.resident)
    const needed = (of: readonly Memory[]) => of.map((each) => each.needed)
    return [
      row(
        { what, unit: 'KB', against: 'bare ws', aim: '≤ 16 KB', others: OTHERS },
        resident(ours),
        resident(floor),
      ),
      row(
        { what: 'of it, what JavaScript needs', unit: 'KB', against: 'bare ws' },
        needed(ours),
        needed(floor),
      ),
    ]
  },
}

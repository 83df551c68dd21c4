import { type Figure, ROUNDS, type Row, row } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import type { Seat } from '../load/group.ts'
import type { LatencyLoad } from '../load/latency.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, seatInRooms } from '../people.ts'
import { startProcess } from '../processes.ts'
import { percentile } from '../statistics.ts'
import { CORE, MESSAGE_TEXT, shareOfCore, withServersPinned } from './common.ts'

const SOCKETS = 5_000
const ROOMS = 100
const AT_A_TIME = 200
/** About what the event of such a message is. */
const EVENT_BYTES = 850

interface Measured {
  readonly joinedS: number
  readonly seen: readonly number[]
  readonly acked: readonly number[]
  readonly loadPercent: number
}

export const crowd: Figure = {
  name: 'crowd',
  describe: `${SOCKETS.toLocaleString('en')} sockets join one gateway, then a message a second in each of ${ROOMS} rooms, against bare ws`,
  async measure(context) {
    const stack = await context.stack()
    const { dir, profileDir, quick } = context
    const chat = await stack.startChat({ core: CORE.rest, profileDir })
    const people = await makePeople(stack, SOCKETS)
    const rooms = await makeRooms(stack, seatInRooms(people, ROOMS))
    const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), {
      name: 'load',
      dir,
      core: CORE.rest,
    })
    const talk: LatencyLoad = {
      perSecond: ROOMS,
      warmMs: 2_000,
      ms: quick ? 5_000 : 15_000,
      text: MESSAGE_TEXT,
    }
    const each = SOCKETS / ROOMS
    const seated = rooms.map(({ subject }, room) => ({
      subject,
      sockets: Array.from({ length: each }, (_, seat) => room * each + seat),
    }))

    async function measure(group: string, port: number, seats: Seat[], how: LatencyLoad): Promise<Measured> {
      const { result, percent } = await shareOfCore(load, async () => {
        const joinedMs = await load.call('open', { group, port, seats, atATime: AT_A_TIME })
        const latencies = await load.call('latencies', { group, rooms: seated, load: how })
        return { joinedS: joinedMs / 1_000, seen: latencies.seen, acked: latencies.acked }
      })
      await load.call('close', { group })
      return { ...result, loadPercent: percent }
    }

    const seats = rooms.flatMap(({ members }) =>
      members.map(({ token }): Seat => ({ path: '/ws', hello: { token, follow: 'all' } })),
    )
    const bareSeats = rooms.flatMap(({ members }, room) => members.map((): Seat => ({ path: `/${room}` })))
    const ours: Measured[] = []
    const floor: Measured[] = []
    try {
      await withServersPinned(stack, async () => {
        for (let round = 0; round < (quick ? 1 : ROUNDS); round += 1) {
          const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
            name: 'bare-ws',
            dir,
            core: CORE.server,
          })
          const relayed = { ...talk, relayedBytes: EVENT_BYTES }
          floor.push(await measure('bare', await bare.call('port'), bareSeats, relayed))
          await bare.stop()
          const gateway = await stack.startGateway(chat, { core: CORE.server, profileDir })
          ours.push(await measure('gateway', gateway.port, seats, talk))
          await gateway.process.stop()
        }
      })
      return rowsOf(ours, floor)
    } finally {
      for (const each of [load, chat.process]) await each.stop()
    }
  },
}

function rowsOf(ours: readonly Measured[], floor: readonly Measured[]): Row[] {
  const sockets = SOCKETS.toLocaleString('en')
  const both = (about: Parameters<typeof row>[0], value: (measured: Measured) => number) =>
    row(about, ours.map(value), floor.map(value))
  const seen = (share: number) =>
    both(
      {
        what: `send → seen, p${share * 100}, ${sockets} sockets, a message a second in each of ${ROOMS} rooms`,
        unit: 'ms',
        against: 'bare ws that passes it on: nothing is kept',
      },
      (measured) => percentile(measured.seen, share),
    )
  return [
    both(
      {
        what: `${sockets} sockets join, until the last is live`,
        unit: 's',
        against: 'bare ws, until the last is upgraded',
        aim: '≤ 30 s',
      },
      (measured) => measured.joinedS,
    ),
    seen(0.5),
    seen(0.99),
    row(
      { what: 'send → ack, p99, the same', unit: 'ms' },
      ours.map(({ acked }) => percentile(acked, 0.99)),
    ),
    both(
      { what: 'how busy the load kept its core', unit: '%', against: 'the same' },
      (measured) => measured.loadPercent,
    ),
  ]
}

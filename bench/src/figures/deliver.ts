import type { Figure, Row } from '../figure.ts'
import { ROUNDS, row } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import type { BlasterCalls } from '../floors/blaster.ts'
import type { Seat } from '../load/group.ts'
import type { LoadCalls, Stretch } from '../load/main.ts'
import { makePeople, makeRooms, type Room, seatInRooms } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { CORE, MESSAGE_TEXT, placesOf, withServersPinned } from './common.ts'

const SOCKETS = 1_000
const WARM_MS = 1_000
const MEASURE_MS = 4_000

/** Events that are made ahead of a run, and that may be on their way at a time. */
const shapes = [
  {
    what: `one room × ${SOCKETS}`,
    rooms: 1,
    made: 20_000,
    window: 100,
    aim: '≥ 8×',
    others: 'Centrifugo 3.9×, Socket.IO 0.8×, Chatto 0.05×',
  },
  {
    what: '100 rooms × 10',
    rooms: 100,
    made: 200_000,
    window: 1_000,
    aim: '≥ 1.5×',
    others: 'Centrifugo 1.1×, Socket.IO 0.97×, ejabberd with archive 0.26×, Prosody 0.05×',
  },
] as const
type Shape = (typeof shapes)[number]

const perSecond = ({ frames, ms }: Stretch) => (frames / ms) * 1_000
const perCpuSecond = ({ frames, serverCpuMs }: Stretch) => (frames / serverCpuMs) * 1_000

export const deliver: Figure = {
  name: 'deliver',
  describe: 'deliveries/s of one gateway core, saturated, against bare ws.send one by one',
  async measure(context) {
    const stack = await context.stack()
    const chat = await stack.startChat({ core: CORE.rest })
    const people = await makePeople(stack, SOCKETS)
    const loaded: [Shape, Room[]][] = []
    for (const shape of shapes) loaded.push([shape, await makeRooms(stack, seatInRooms(people, shape.rooms))])
    const gateway = await stack.startGateway(chat, { core: CORE.server, profileDir: context.profileDir })
    const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), {
      name: 'load',
      dir: context.dir,
      core: CORE.rest,
    })
    try {
      return await withServersPinned(stack, async () => {
        const rows: Row[] = []
        for (const [shape, rooms] of loaded) rows.push(...(await measureShape(shape, rooms)))
        return rows
      })
    } finally {
      for (const each of [load, gateway.process, chat.process]) await each.stop()
    }

    async function measureShape(shape: Shape, rooms: Room[]): Promise<Row[]> {
      const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
        name: 'bare-ws',
        dir: context.dir,
        core: CORE.server,
      })
      const blaster = startProcess<BlasterCalls>(new URL('../floors/blaster.ts', import.meta.url), {
        name: 'blaster',
        dir: context.dir,
        core: CORE.server,
      })
      const seats = rooms.flatMap(({ subject, members }) =>
        members.map(({ token }): Seat => ({ path: '/ws', hello: { token, follow: [subject] } })),
      )
      const bareSeats = seats.map((_, index) => ({ path: `/${index % shape.rooms}` }))
      await load.call('open', { group: 'gateway', port: gateway.port, seats })
      await load.call('open', { group: 'bare', port: await bare.call('port'), seats: bareSeats })
      await load.call('open', {
        group: 'blaster',
        port: await blaster.call('port'),
        seats: bareSeats,
      })
      await load.call('startFeeder', { group: 'gateway', brokers: stack.kafka.brokers })
      let streams = await placesOf(stack, rooms)
      let frameBytes = 0
      // What is fed now was not decided by chat, which would rightly contradict it.
      chat.process.freeze()

      const receiving = (group: string, { pid }: BenchProcess) => ({
        group,
        warmMs: WARM_MS,
        ms: MEASURE_MS,
        serverPid: pid,
      })
      const feed = async (): Promise<Stretch> => {
        const run = {
          streams,
          actor: people[0]!.actor,
          text: MESSAGE_TEXT,
          count: shape.made,
          window: shape.window,
          fanOut: SOCKETS / shape.rooms,
        }
        const fed = await load.call('feed', { ...receiving('gateway', gateway.process), run })
        if (fed.wrong > 0 || fed.checked === 0)
          throw new Error(`${fed.wrong} of ${fed.checked} sampled events were not in their place`)
        ;({ streams, frameBytes } = fed)
        return fed
      }

      try {
        const gatewayRounds: Stretch[] = []
        const bareRounds: Stretch[] = []
        const blasterRounds: Stretch[] = []
        for (let round = 0; round < ROUNDS; round += 1) {
          gatewayRounds.push(await feed())
          await bare.call('send', { bytes: frameBytes - 4 })
          bareRounds.push(await load.call('receive', receiving('bare', bare)))
          await bare.call('stop')
          await blaster.call('send', { frameBytes })
          blasterRounds.push(await load.call('receive', receiving('blaster', blaster)))
          await blaster.call('stop')
        }
        return rowsOf(shape, frameBytes, gatewayRounds, bareRounds, blasterRounds)
      } finally {
        chat.process.thaw()
        for (const group of ['gateway', 'bare', 'blaster']) await load.call('close', { group })
        await bare.stop()
        await blaster.stop()
      }
    }
  },
}

function rowsOf(
  shape: Shape,
  frameBytes: number,
  ours: readonly Stretch[],
  bare: readonly Stretch[],
  blasted: readonly Stretch[],
): Row[] {
  const against = 'bare ws.send, one by one'
  const busy = ours.map(({ serverCpuMs, ms }) => (serverCpuMs / ms) * 100)
  return [
    row(
      {
        what: `deliveries/s, ${shape.what}, frames of ${frameBytes} bytes`,
        unit: '/s',
        against,
        aim: shape.aim,
        others: shape.others,
      },
      ours.map(perSecond),
      bare.map(perSecond),
    ),
    row(
      { what: `the same per second of the server's CPU time`, unit: '/s', against },
      ours.map(perCpuSecond),
      bare.map(perCpuSecond),
    ),
    row({ what: 'how busy the gateway kept its core', unit: '%' }, busy),
    row(
      {
        what: 'the load against its own ceiling (a bare blaster)',
        unit: '/s',
        against: 'a bare blaster',
        aim: '≤ 0.5×',
      },
      ours.map(perSecond),
      blasted.map(perSecond),
    ),
  ]
}

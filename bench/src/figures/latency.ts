import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { type Figure, ROUNDS, type Row, row } from '../figure.ts'
import { hopTopics, type KafkaHopsCalls } from '../floors/kafka-hops.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, seatInRooms } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import type { Stack } from '../stack.ts'
import { percentile } from '../statistics.ts'
import { MESSAGE_TEXT } from './common.ts'

const SOCKETS = 1_000
const ROOMS = 100
const load = { perSecond: 500, warmMs: 2_000, ms: 8_000 }
const MESSAGES = (load.perSecond * (load.warmMs + load.ms)) / 1_000
/** About what a command and an event of ours are, so that the floor carries as much. */
const BYTES = { command: 520, event: 850 }
const PARTITIONS = 12
const AGAINST = 'Kafka there and back, one Postgres commit between'

const OTHERS = {
  0.5: 'ejabberd with archive 0.9 ms, Centrifugo from Kafka 1.1 ms (bare ws 0.12 ms)',
  0.99: 'ejabberd with archive 3.5 ms, Centrifugo from Kafka 6.8 ms (bare ws 0.9 ms)',
}

export const latency: Figure = {
  name: 'latency',
  describe:
    'send → ack and send → seen at 500 messages/s, 1,000 sockets, against two Kafka hops and a commit',
  async measure(context) {
    const stack = await context.stack()
    const { dir, profileDir } = context
    const script = (path: string) => new URL(path, import.meta.url)
    const chat = await stack.startChat({ profileDir })
    const people = await makePeople(stack, SOCKETS)
    const rooms = await makeRooms(stack, seatInRooms(people, ROOMS))
    const gateway = await stack.startGateway(chat, { profileDir })
    const sockets = startProcess<LoadCalls>(script('../load/main.ts'), { name: 'load', dir })
    const hops = script('../floors/kafka-hops.ts')
    const edge = startProcess<KafkaHopsCalls>(hops, { name: 'floor-edge', dir })
    const decider = startProcess<KafkaHopsCalls>(hops, { name: 'floor-decider', dir })
    try {
      await prepareFloor(stack)
      const where = {
        brokers: stack.kafka.brokers,
        databaseUrl: stack.databaseUrl,
        run: randomUUID(),
        eventBytes: BYTES.event,
      }
      await decider.call('decide', where)
      await edge.call('edge', where)
      await sockets.call('open', {
        group: 'people',
        port: gateway.port,
        seats: rooms.flatMap(({ subject, members }) =>
          members.map(({ token }) => ({ path: '/ws', hello: { token, follow: [subject] } })),
        ),
      })
      const each = SOCKETS / ROOMS
      const seats = rooms.map(({ subject }, room) => ({
        subject,
        sockets: Array.from({ length: each }, (_, seat) => room * each + seat),
      }))

      const floor: number[][] = []
      const acked: number[][] = []
      const seen: number[][] = []
      const late: number[][] = []
      const cpu = { ours: [] as number[], floor: [] as number[] }
      for (let round = 0; round < ROUNDS; round += 1) {
        const begun = await cpuMs(edge, decider)
        floor.push(await edge.call('measure', { ...load, commandBytes: BYTES.command }))
        const between = await cpuMs(gateway.process, chat.process)
        cpu.floor.push(((await cpuMs(edge, decider)) - begun) / MESSAGES)
        const ours = await sockets.call('latencies', {
          group: 'people',
          rooms: seats,
          load: { ...load, text: MESSAGE_TEXT },
        })
        cpu.ours.push(((await cpuMs(gateway.process, chat.process)) - between) / MESSAGES)
        acked.push(ours.acked)
        seen.push(ours.seen)
        late.push(ours.late)
      }
      return rowsOf({ floor, acked, seen, late }, cpu)
    } finally {
      for (const each of [sockets, edge, decider, gateway.process, chat.process]) await each.stop()
    }
  },
}

/** Processor time that these took so far, together. */
async function cpuMs(...processes: readonly BenchProcess[]): Promise<number> {
  const used = await Promise.all(processes.map((each) => each.usage()))
  return used.reduce((sum, each) => sum + each.cpuMs, 0)
}

function rowsOf(
  measured: Record<'floor' | 'acked' | 'seen' | 'late', number[][]>,
  cpu: Record<'ours' | 'floor', number[]>,
): Row[] {
  const at = (name: keyof typeof measured, share: number) =>
    measured[name].map((values) => percentile(values, share))
  const line = (name: 'acked' | 'seen', share: 0.5 | 0.99) =>
    row(
      {
        what: `send → ${name === 'acked' ? 'ack' : 'seen'}, p${share * 100}, ${load.perSecond} messages/s`,
        unit: 'ms',
        against: AGAINST,
        ...(name === 'seen' && { aim: '≤ 2×', others: OTHERS[share] }),
      },
      at(name, share),
      at('floor', share),
    )
  return [
    line('acked', 0.5),
    line('acked', 0.99),
    line('seen', 0.5),
    line('seen', 0.99),
    row(
      {
        what: 'processor time of gateway and chat for each message and its ten deliveries',
        unit: 'ms',
        against: 'of its two processes, which deliver nothing',
      },
      cpu.ours,
      cpu.floor,
    ),
    row({ what: 'by how much the load itself was late, p99', unit: 'ms' }, at('late', 0.99)),
  ]
}

async function prepareFloor({ kafka, sql }: Stack): Promise<void> {
  await sql.query('CREATE TABLE IF NOT EXISTS bench_hops (id text, bytes text)')
  const client = new Kafka({ brokers: [kafka.brokers], clientId: 'bench', logLevel: logLevel.ERROR })
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: Object.values(hopTopics).map((topic) => ({ topic, numPartitions: PARTITIONS })),
  })
  await admin.disconnect()
}

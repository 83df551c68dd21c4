import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@klatsch/contracts'
import { freePorts } from '@klatsch/local-stack'
import { v7 as uuidv7 } from 'uuid'
import type { Context, Figure } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import type { Herd } from '../load/herd.ts'
import type { LatencyLoad } from '../load/latency.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, type Room, seatInRooms, seatInSeveral } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { commandMessage, sendAll } from '../records.ts'
import type { Service, Stack } from '../stack.ts'
import { percentile } from '../statistics.ts'
import { CORE, MESSAGE_TEXT, placesOf, shareOfCore, withServersPinned } from './common.ts'
import { CUT, MISSED, rowsOf, SOCKETS, type Storm, stormOf } from './storm-rows.ts'

const PER_ROOM = 100
const ROOMS_EACH = 4
/** About what the event of such a message is. */
const EVENT_BYTES = 850
/** As the supervisor of the local stack: what died is started again after so long. */
const RESTART_MS = 100
const AT_A_TIME = 200
const TRICKLE_MS = 20
const WRITERS = { people: 100, rooms: 10 }
const WRITING: LatencyLoad = { perSecond: 50, warmMs: 0, ms: 5_000, text: MESSAGE_TEXT }

export const storm: Figure = {
  name: 'storm',
  describe: `${SOCKETS.toLocaleString('en')} sockets come back to a killed gateway, ${CUT.toLocaleString('en')} cut ones to a living one, ${MISSED} missed messages each`,
  async measure(context) {
    const stack = await context.stack()
    const chat = await stack.startChat({ core: CORE.rest, profileDir: context.profileDir })
    const people = await makePeople(stack, SOCKETS + WRITERS.people)
    const members = people.slice(0, SOCKETS)
    const rooms = await makeRooms(stack, seatInSeveral(members, PER_ROOM, ROOMS_EACH))
    const writersRooms = await makeRooms(stack, seatInRooms(people.slice(SOCKETS), WRITERS.rooms))
    const [port = 0] = await freePorts(1)
    const other = await stack.startGateway(chat, { core: CORE.rest })
    const [load, writers] = ['load', 'load-writers'].map((name) =>
      startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), {
        name,
        dir: context.dir,
        core: CORE.rest,
      }),
    ) as [BenchProcess<LoadCalls>, BenchProcess<LoadCalls>]
    const scene: Scene = { context, stack, chat, rooms, port, load, writers, writersRooms }
    const herd: Herd = { kind: 'people', tokens: members.map(({ token }) => token), heals: 'all' }
    const measured = {
      killed: [] as Storm[],
      cut: [] as Storm[],
      barely: [] as Storm[],
      bareCut: [] as Storm[],
    }
    const acks = { calm: [] as number[], stormy: [] as number[] }
    const wrong: number[] = []
    try {
      await writers.call('open', {
        group: 'writers',
        port: other.port,
        seats: writersRooms.flatMap(({ subject, members }) =>
          members.map(({ token }) => ({ path: '/ws', hello: { token, follow: [subject] } })),
        ),
      })
      await withServersPinned(stack, async () => {
        for (let round = 0; round < (context.quick ? 1 : 2); round += 1) {
          const bare = await bareStorms(scene)
          measured.barely.push(bare.killed)
          measured.bareCut.push(bare.cut)
          const ours = await ourStorms(scene, herd)
          measured.killed.push(ours.killed)
          measured.cut.push(ours.cut)
          acks.calm.push(ours.calmMs)
          acks.stormy.push(ours.stormyMs)
          wrong.push(ours.wrong)
        }
      })
      return rowsOf(measured, acks, wrong)
    } finally {
      for (const each of [load, writers, other.process, chat.process]) await each.stop()
    }
  },
}

interface Scene {
  readonly context: Context
  readonly stack: Stack
  readonly chat: Service
  readonly rooms: readonly Room[]
  /** Of the gateway that dies. The writers are on another one. */
  readonly port: number
  readonly load: BenchProcess<LoadCalls>
  readonly writers: BenchProcess<LoadCalls>
  readonly writersRooms: readonly Room[]
}

async function ourStorms(scene: Scene, herd: Herd) {
  const { context, stack, chat, rooms, port, load } = scene
  const name = 'herd'
  const options = { core: CORE.server, port, profileDir: context.profileDir }
  let gateway = await stack.startGateway(chat, options)
  let stopTrickle = async () => {}
  try {
    const joined = await load.call('gather', { name, port, herd, atATime: AT_A_TIME })
    context.say(`storm: the last had joined after ${(Math.max(...joined.ms) / 1_000).toFixed(1)} s`)
    const calmMs = percentile(await write(scene, WRITING.ms), 0.99)
    stopTrickle = trickle(stack, rooms)

    const targets = await targetsOf(stack, rooms)
    await load.call('brace', { name, targets })
    const writing = write(scene, 2 * WRITING.ms)
    const chatBefore = await cpuOf(chat.process)
    const killed = await shareOfCore(load, async () => {
      await gateway.process.kill()
      await say(stack, rooms, MISSED / ROOMS_EACH)
      await sleep(RESTART_MS)
      const begin = performance.now()
      gateway = await stack.startGateway(chat, options)
      context.say(`storm: the gateway was ready again after ${Math.round(performance.now() - begin)} ms`)
      return load.call('whole', { name })
    })
    const killedCpuMs = (await cpuOf(gateway.process)) + (await cpuOf(chat.process)) - chatBefore
    const stormyMs = percentile(await writing, 0.99)

    await load.call('cut', { name, count: CUT })
    const missed = await targetsOf(stack, rooms)
    await say(stack, rooms, MISSED / ROOMS_EACH)
    await published(stack, missed)
    await load.call('brace', { name, targets: missed })
    const cutBefore = (await cpuOf(gateway.process)) + (await cpuOf(chat.process))
    const cut = await shareOfCore(load, async () => {
      await load.call('back', { name, count: CUT })
      return load.call('whole', { name })
    })

    const cutCpuMs = (await cpuOf(gateway.process)) + (await cpuOf(chat.process)) - cutBefore

    await stopTrickle()
    const heads = Object.fromEntries((await placesOf(stack, rooms)).map(({ subject, seq }) => [subject, seq]))
    await load.call('brace', { name, targets: heads })
    const { found } = await load.call('whole', { name })
    const wrong = found.doubled + found.lost + found.forked + found.failed
    if (wrong > 0) context.say(`storm: ${JSON.stringify(found)}`)
    return {
      calmMs,
      stormyMs,
      wrong,
      killed: stormOf(killed, SOCKETS, killedCpuMs),
      cut: stormOf(cut, CUT, cutCpuMs),
    }
  } finally {
    await stopTrickle()
    await load.call('scatter', { name })
    await gateway.process.stop()
  }
}

/** A server of bare ws that dies and lives in the same ways, and sends as many bytes to whoever comes. */
async function bareStorms({ context, load, port }: Scene): Promise<{ killed: Storm; cut: Storm }> {
  const name = 'bare'
  const start = async () => {
    const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
      name: 'bare-ws',
      dir: context.dir,
      core: CORE.server,
      env: { BARE_PORT: String(port) },
    })
    await bare.call('backlog', { frames: MISSED, bytes: EVENT_BYTES })
    return bare
  }
  let bare = await start()
  const paths = Array.from({ length: SOCKETS }, (_, index) => `/${index % (SOCKETS / PER_ROOM)}`)
  try {
    await load.call('gather', {
      name,
      port,
      herd: { kind: 'bare', paths, frames: MISSED },
      atATime: AT_A_TIME,
    })
    await load.call('brace', { name, targets: {} })
    const killed = await shareOfCore(load, async () => {
      await bare.kill()
      await sleep(RESTART_MS)
      bare = await start()
      return load.call('whole', { name })
    })
    const killedCpuMs = await cpuOf(bare)
    await load.call('scatter', { name })
    const few: Herd = { kind: 'bare', paths: paths.slice(0, CUT), frames: MISSED }
    await load.call('gather', { name, port, herd: few, atATime: AT_A_TIME })
    await load.call('cut', { name, count: CUT })
    await load.call('brace', { name, targets: {} })
    const cutBefore = await cpuOf(bare)
    const cut = await shareOfCore(load, async () => {
      await load.call('back', { name, count: CUT })
      return load.call('whole', { name })
    })
    const cutCpuMs = (await cpuOf(bare)) - cutBefore
    return { killed: stormOf(killed, SOCKETS, killedCpuMs), cut: stormOf(cut, CUT, cutCpuMs) }
  } finally {
    await load.call('scatter', { name })
    await bare.stop()
  }
}

const cpuOf = async (server: BenchProcess): Promise<number> => (await server.usage()).cpuMs

/** Milliseconds from send to ack of the writers, for so long. */
async function write({ writers, writersRooms }: Scene, ms: number): Promise<number[]> {
  const each = WRITERS.people / WRITERS.rooms
  const rooms = writersRooms.map(({ subject }, room) => ({
    subject,
    sockets: Array.from({ length: each }, (_, seat) => room * each + seat),
  }))
  return (await writers.call('latencies', { group: 'writers', rooms, load: { ...WRITING, ms } })).acked
}

/** So many messages in each room, as if through another gateway. */
function say({ producer }: Stack, rooms: readonly Room[], each: number): Promise<void> {
  const messages = Array.from({ length: each }, () => rooms.map((room, index) => message(room, index))).flat()
  return sendAll(producer, topics.commands.name, messages)
}

function message({ subject, members }: Room, index: number) {
  const { actor } = members[index % members.length]!
  return commandMessage(
    { id: uuidv7(), type: 'chat.message.send.v1', subject, actor, data: { text: MESSAGE_TEXT } },
    'another-gateway',
  )
}

/** Someone says something somewhere all the time, so that some of it comes in the midst of every resume. */
function trickle({ producer }: Stack, rooms: readonly Room[]): () => Promise<void> {
  let going = true
  const gone = (async () => {
    for (let index = 0; going; index += 1) {
      const room = rooms[(index * 7) % rooms.length]!
      await producer.send({ topic: topics.commands.name, messages: [message(room, index)], acks: -1 })
      await sleep(TRICKLE_MS)
    }
  })()
  return async () => {
    going = false
    await gone
  }
}

/** What everyone must have after so many more messages. */
async function targetsOf(stack: Stack, rooms: readonly Room[]): Promise<Record<string, number>> {
  const places = await placesOf(stack, rooms)
  return Object.fromEntries(places.map(({ subject, seq }) => [subject, seq + MISSED / ROOMS_EACH]))
}

async function published({ sql }: Stack, targets: Readonly<Record<string, number>>): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { rows } = await sql.query<{ stream: string; published_seq: string }>(
      'SELECT stream, published_seq FROM streams WHERE stream = ANY($1::text[])',
      [Object.keys(targets)],
    )
    if (rows.every((each) => Number(each.published_seq) >= targets[each.stream]!)) return
    if (Date.now() > deadline) throw new Error('what was missed was not published within 30 s')
    await sleep(20)
  }
}

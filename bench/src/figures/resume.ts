import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@klatsch/contracts'
import { v7 as uuidv7 } from 'uuid'
import { countingProxy } from '../counting-proxy.ts'
import { type Context, type Figure, type Row, row } from '../figure.ts'
import type { LoadCalls } from '../load/main.ts'
import type { Resume } from '../load/resumes.ts'
import { makePeople, makeRooms, type Person, type Room } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { commandMessage, sendAll } from '../records.ts'
import type { Stack } from '../stack.ts'
import { percentile } from '../statistics.ts'
import { MESSAGE_TEXT, placesOf } from './common.ts'

const BACK = 2_000
const HELLOS = 50
const COUNTED = 10
const PAGE = 200
const FILL_MS = 110_000
/** As many as a frame holds. */
const CURSORS = 1_000

export const resume: Figure = {
  name: 'resume',
  describe:
    'cursors of any age: what each hello takes, 2,000 people back from long ago at once, the whole way back',
  async measure(context) {
    const { dir, profileDir, quick } = context
    const events = quick ? 10_000 : 100_000
    const stack = await context.stack()
    const chat = await stack.startChat({ profileDir })
    const people = await makePeople(stack, BACK + 1)
    const [room] = (await makeRooms(stack, [people])) as [Room]
    const members = people.slice(0, BACK)
    const gone = people[BACK]!
    const begun = await headOf(stack, room)
    await fill(stack, room, events)
    await send(stack, [command(room, gone, 'chat.room.leave.v1', {})])
    await untilHead(stack, room, begun + events + 1)
    const gateway = await stack.startGateway(chat, { profileDir })
    const counter = await countingProxy(chat.url)
    const counted = await stack.startGateway({ ...chat, url: counter.url })
    const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), { name: 'load', dir })
    try {
      const rows: Row[] = []
      for (const [what, hello] of Object.entries(await hellos(stack, room, members[0]!, gone))) {
        const took = await load.call('resumes', { port: gateway.port, resume: hello, times: HELLOS })
        const before = counter.count
        await load.call('resumes', { port: counted.port, resume: hello, times: COUNTED })
        const asked = (counter.count - before) / COUNTED
        const p99 = percentile(took, 0.99)
        context.say(`resume: ${what}: p99 ${p99.toFixed(1)} ms`)
        rows.push(
          row({ what: `hello → answer, cursor ${what}, p50`, unit: 'ms' }, [percentile(took, 0.5)]),
          row({ what: '… questions of the gateway to chat', unit: '', aim: 'a few' }, [asked]),
        )
      }
      const backS = await allBack(load, gateway.port, room, members, await headOf(stack, room))
      const age = events.toLocaleString('en')
      rows.push(
        row(
          {
            what: `${BACK.toLocaleString('en')} people back at once, each ${age} events behind, until the last has a fresh page`,
            unit: 's',
            aim: '≤ 5 s',
          },
          [backS],
        ),
        await wayBack(context, stack, gateway.port, room, members[0]!),
      )
      return rows
    } finally {
      for (const each of [load, gateway.process, counted.process, chat.process]) await each.stop()
      await counter.close()
    }
  },
}

/** The hellos of issue's own list, each with what must answer it. */
async function hellos(
  stack: Stack,
  room: Room,
  member: Person,
  gone: Person,
): Promise<Record<string, Resume>> {
  const { subject } = room
  const head = (await placesOf(stack, [room]))[0]!
  const other = 'x'.repeat(43)
  const mine = (seq: number, chain?: string) => ({
    token: member.token,
    follow: [subject],
    cursors: { [subject]: { seq, ...(chain && { chain }) } },
  })
  const gap = { type: 'reset', subject, reason: 'gap' }
  const fork = { type: 'reset', subject, reason: 'fork' }
  const unknown = Array.from({ length: CURSORS }, () => `room:${randomUUID()}`)
  return {
    'at the head': { ...mine(head.seq, head.chain), answer: { type: 'live', subject } },
    'at the beginning': { ...mine(0), answer: gap },
    'from the future': { ...mine(head.seq + 1_000), answer: fork },
    'of a forked chain': { ...mine(head.seq, other), answer: fork },
    'of a room one has left': {
      ...mine(head.seq),
      token: gone.token,
      answer: { type: 'unfollowed', subject, code: 'room.not_found' },
    },
    [`of it and of ${CURSORS.toLocaleString('en')} rooms that are not there`]: {
      token: member.token,
      follow: 'all',
      cursors: Object.fromEntries([...unknown, subject].map((each) => [each, { seq: 0 }])),
      answer: gap,
    },
  }
}

/** Everyone's cursor is set back to the beginning, and all of them dial in one moment. */
async function allBack(
  load: BenchProcess<LoadCalls>,
  port: number,
  { subject }: Room,
  members: readonly Person[],
  head: number,
): Promise<number> {
  const name = 'herd'
  const tokens = members.map(({ token }) => token)
  await load.call('gather', { name, port, herd: { kind: 'people', tokens, heals: 'page' }, atATime: 100 })
  await load.call('cut', { name, count: BACK })
  await load.call('rewind', { name, subject, seq: 1 })
  await load.call('brace', { name, targets: { [subject]: head } })
  await load.call('back', { name, count: BACK })
  const { ms, found } = await load.call('whole', { name })
  await load.call('scatter', { name })
  const { resets, ...wrong } = found
  if (resets !== BACK || Object.values(wrong).some((count) => count > 0))
    throw new Error(`${BACK} people came back: ${JSON.stringify(found)}`)
  return Math.max(...ms) / 1_000
}

/** All events of the room, page by page over HTTP, against the same pages straight from Postgres. */
async function wayBack(
  { quick }: Context,
  { sql }: Stack,
  port: number,
  room: Room,
  { token }: Person,
): Promise<Row> {
  const perSecond: Record<'ours' | 'floor', number[]> = { ours: [], floor: [] }
  const read = {
    async floor(after: number) {
      const query =
        'SELECT seq, bytes FROM stream_events WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3'
      const { rows } = await sql.query<{ seq: string; bytes: string }>(query, [room.subject, after, PAGE])
      return rows.map(({ seq }) => ({ seq: Number(seq) }))
    },
    async ours(after: number) {
      const path = `/api/rooms/${room.subject.slice('room:'.length)}/events?after=${after}&limit=${PAGE}`
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      return ((await answer.json()) as { items: { seq: number; prevchain: string; chain: string }[] }).items
    },
  }
  for (let round = 0; round < (quick ? 1 : 2); round += 1) {
    for (const who of ['floor', 'ours'] as const) {
      const begin = performance.now()
      let seq = 0
      let chain = ''
      for (let items = await read[who](0); items.length > 0; items = await read[who](seq)) {
        for (const item of items) {
          const forked = 'prevchain' in item && item.prevchain !== chain
          if (item.seq !== seq + 1 || forked)
            throw new Error(`on the way back ${item.seq} comes after ${seq}`)
          seq = item.seq
          if ('chain' in item) chain = item.chain as string
        }
      }
      perSecond[who].push((seq / (performance.now() - begin)) * 1_000)
    }
  }
  const what = `events/s on the whole way back, pages of ${PAGE}, each event held to the chain`
  return row({ what, unit: '/s', against: 'the same pages from Postgres' }, perSecond.ours, perSecond.floor)
}

function command(
  room: Room,
  { actor }: Person,
  type: 'chat.room.leave.v1' | 'chat.message.send.v1',
  data: never | object,
) {
  return commandMessage(
    { id: uuidv7(), type, subject: room.subject, actor, data: data as never },
    'another-gateway',
  )
}

const send = ({ producer }: Stack, messages: Parameters<typeof sendAll>[2]) =>
  sendAll(producer, topics.commands.name, messages)

async function fill(stack: Stack, room: Room, events: number): Promise<void> {
  const { members } = room
  const data = { text: MESSAGE_TEXT }
  await send(
    stack,
    Array.from({ length: events }, (_, index) =>
      command(room, members[index % members.length]!, 'chat.message.send.v1', data),
    ),
  )
}

const headOf = async (stack: Stack, room: Room): Promise<number> =>
  (await placesOf(stack, [room]))[0]?.seq ?? 0

async function untilHead(stack: Stack, room: Room, seq: number): Promise<void> {
  const deadline = Date.now() + FILL_MS
  for (let head = await headOf(stack, room); head < seq; head = await headOf(stack, room)) {
    if (Date.now() > deadline) throw new Error(`${head} of ${seq} events after ${FILL_MS / 1_000} s`)
    await sleep(100)
  }
}

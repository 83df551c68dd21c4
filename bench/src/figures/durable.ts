import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@klatsch/contracts'
import { v7 as uuidv7 } from 'uuid'
import { type Figure, ROUNDS, type Row, row } from '../figure.ts'
import type { InsertsCalls } from '../floors/inserts.ts'
import { makePeople, makeRooms, type Room, seatInRooms } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { commandMessage, sendAll } from '../records.ts'
import type { Stack } from '../stack.ts'
import { MESSAGE_TEXT } from './common.ts'

const MESSAGES = 30_000
const ROOMS = 100
const PEOPLE = 1_000
const LIMIT_MS = 90_000
const POLL_MS = 20

const OTHERS = 'ejabberd 2,000/s, Prosody 370/s, Chatto 170/s, Synapse 83/s'

export const durable: Figure = {
  name: 'durable',
  describe: 'durable messages/s through one chat process, against bare batched inserts of the same rows',
  async measure(context) {
    const stack = await context.stack()
    const { dir, profileDir } = context
    const inserts = startProcess<InsertsCalls>(new URL('../floors/inserts.ts', import.meta.url), {
      name: 'floor-inserts',
      dir,
    })
    const ours: Drained[] = []
    const floor: Record<1 | 2, number[]> = { 1: [], 2: [] }
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const first = await stack.startChat()
        const people = await makePeople(stack, PEOPLE)
        const rooms = await makeRooms(stack, seatInRooms(people, ROOMS))
        await first.process.stop()

        await fill(stack, rooms)
        const chat = await stack.launchChat({ profileDir })
        ours.push(await drain(stack, rooms, chat.process))
        await chat.process.stop()

        const what = { databaseUrl: stack.databaseUrl, rooms: rooms.map((room) => room.subject) }
        for (const connections of [1, 2] as const)
          floor[connections].push(await inserts.call('measure', { ...what, connections }))
      }
    } finally {
      await inserts.stop()
    }
    return rowsOf(ours, floor)
  },
}

/** What one chat process did with the commands on the log. */
export interface Drained {
  readonly perSecond: number
  /** Processor time of chat for each message, in microseconds. */
  readonly cpuUs: number
}

function rowsOf(ours: readonly Drained[], floor: Readonly<Record<1 | 2, readonly number[]>>): Row[] {
  const what = 'durable messages/s through one chat process'
  const against = 'the same rows, 500 messages a transaction'
  const perSecond = ours.map((round) => round.perSecond)
  return [
    row(
      { what, unit: '/s', against: `${against}, one connection`, aim: '≥ 0.5×', others: OTHERS },
      perSecond,
      floor[1],
    ),
    row({ what, unit: '/s', against: `${against}, two connections` }, perSecond, floor[2]),
    row(
      { what: "chat's processor time for each of them", unit: 'µs' },
      ours.map((round) => round.cpuUs),
    ),
  ]
}

/** Puts all commands on the log, while nobody reads it. */
export async function fill({ producer }: Stack, rooms: readonly Room[]): Promise<void> {
  const messages = Array.from({ length: MESSAGES }, (_, index) => {
    const { subject, members } = rooms[index % rooms.length]!
    const { actor } = members[Math.floor(index / rooms.length) % members.length]!
    const data = { text: MESSAGE_TEXT }
    return commandMessage(
      { id: uuidv7(), type: 'chat.message.send.v1', subject, actor, data },
      'another-gateway',
    )
  })
  await sendAll(producer, topics.commands.name, messages)
}

/** Waits until all is committed and published, and counts from the first progress on. */
export async function drain({ sql }: Stack, rooms: readonly Room[], chat: BenchProcess): Promise<Drained> {
  const subjects = rooms.map((room) => room.subject)
  const published = async () => {
    const { rows } = await sql.query<{ sum: string }>(
      'SELECT sum(published_seq) FROM streams WHERE stream = ANY($1::text[])',
      [subjects],
    )
    return Number(rows[0]?.sum)
  }
  const before = await published()
  const deadline = performance.now() + LIMIT_MS
  let first: { at: number; done: number; cpuMs: number } | undefined
  for (;;) {
    const at = performance.now()
    const done = (await published()) - before
    if (done > 0) first ??= { at, done, cpuMs: (await chat.usage()).cpuMs }
    if (first && done >= MESSAGES) {
      const messages = done - first.done
      return {
        perSecond: (messages / (at - first.at)) * 1_000,
        cpuUs: (((await chat.usage()).cpuMs - first.cpuMs) * 1_000) / messages,
      }
    }
    if (at > deadline) throw new Error(`${done} of ${MESSAGES} messages after ${LIMIT_MS / 1_000} s`)
    chat.assertRunning()
    await sleep(POLL_MS)
  }
}

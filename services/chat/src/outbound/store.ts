import { streamKind } from '@klatsch/contracts'
import { asking, databaseFault, PassingFault } from '@klatsch/event-bus'
import type pg from 'pg'
import type { BatchRequest, BatchWrites, CommandStore, LoadedBatch } from '../domain/command-store.ts'
import { loadedOf, outcomeOf, type Row } from './loaded-rows.ts'
import * as sql from './statements.ts'
import { eventOfRow } from './stored-event.ts'

/** The record in Postgres. Round trips are what a batch waits for, so it asks in two bursts, not one by one. */
export function postgresStore(pool: pg.Pool): CommandStore {
  async function transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await asking(pool.connect())
    let broken = true
    try {
      const result = await work(client)
      broken = false
      return result
    } finally {
      // A connection whose transaction did not end as planned is closed: that ends it for certain.
      client.release(broken)
    }
  }

  return {
    transact: (request, decide) =>
      transaction(async (client) => {
        const loaded = await load(client, request)
        const writes = decide(loaded)
        await write(client, request, loaded, writes)
        return writes
      }),

    markPublished: (ranges) =>
      transaction(async (client) => {
        const inLockOrder = ranges.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
        // Lost in a crash, it is published once more; nothing else hangs on it.
        const lazily = 'SET LOCAL synchronous_commit = off'
        await pipelined(client, ['BEGIN', lazily, sql.markPublished(inLockOrder), 'COMMIT'])
      }),

    async unpublished(of, limit) {
      const query =
        'partition' in of
          ? sql.unpublishedOfPartition(of.partition, limit)
          : sql.unpublishedOfStream(of.stream, of.upTo, limit)
      const { rows } = await asking(pool.query<{ bytes: string }>(query))
      return rows.map(({ bytes }) => eventOfRow(bytes))
    },

    claim: (outcome) =>
      transaction(async (client) => {
        // One after the other, each with what was committed before it: the second sees whoever won.
        const [, standing] = await pipelined(client, [
          sql.claimOutcomes([outcome]),
          sql.readOutcomes([outcome]),
        ])
        return outcomeOf(standing![0]!)
      }),
  }
}

/** Sends all at once and waits for all. Throws the first fault; what comes behind it fails with it. */
async function pipelined(
  client: pg.PoolClient,
  queries: readonly (string | sql.Query | undefined)[],
): Promise<Row[][]> {
  const { stream } = client.connection
  // One write for all: else each query wakes the server by itself.
  stream.cork()
  const asked = queries.map(async (query) => (query ? (await client.query<Row>(query as string)).rows : []))
  stream.uncork()
  const answers = await Promise.allSettled(asked)
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw databaseFault(answer.reason)
    return answer.value
  })
}

async function load(client: pg.PoolClient, request: BatchRequest): Promise<LoadedBatch> {
  const { streams, create } = request
  // Each statement sees what was committed before it began: what comes after the locks sees what their holders wrote.
  const answers = await pipelined(client, [
    'BEGIN',
    sql.beginStreams(create),
    sql.lockStreams(streams),
    sql.readOutcomes(request.outcomes),
    sql.readRooms(streams.filter((stream) => streamKind(stream) === 'room')),
    sql.readMembers(request.members),
    sql.readUserRooms(request.userRooms),
  ])
  const [, , heads = [], outcomes = [], rooms = [], members = [], userRooms = []] = answers
  return loadedOf({ heads, outcomes, rooms, members, userRooms })
}

async function write(
  client: pg.PoolClient,
  request: BatchRequest,
  loaded: LoadedBatch,
  writes: BatchWrites,
): Promise<void> {
  const { events, outcomes, ended, heads, projections } = writes
  const { messages, members, userRooms } = projections
  const rooms = [...projections.rooms].flatMap((name) => {
    const room = writes.rooms.get(name)
    return room?.kind === 'room' ? [{ ...room, room: name }] : []
  })
  // Begun for a command that was then refused: a stream without events is none.
  const empty = request.create.filter((stream) => loaded.heads.get(stream)?.seq === 0 && !heads.has(stream))
  if (ended.length > 0) await endHeld(client, ended)
  await pipelined(client, [
    sql.insertEvents(events),
    sql.insertOutcomes(outcomes),
    sql.insertMessages(messages),
    sql.upsertRooms(rooms),
    sql.upsertMembers(members.filter((member) => member.joinedSeq !== undefined)),
    sql.deleteMembers(members.filter((member) => member.joinedSeq === undefined)),
    sql.upsertUserRooms(userRooms),
    sql.advanceHeads([...heads]),
    sql.dropEmptyStreams(empty),
    'COMMIT',
  ])
}

/** Rare, so its round trip is its own: it must be known whether it went well before anything is committed. */
async function endHeld(client: pg.PoolClient, ended: BatchWrites['ended']): Promise<void> {
  const [rows] = await pipelined(client, [sql.endHeldOutcomes(ended)])
  if (rows!.length !== ended.length) throw new PassingFault('another redrive was faster')
}

import { partitionOf, topics } from '@klatsch/contracts'
import { PassingFault } from '@klatsch/event-bus'
import type { CommandStore, LoadedBatch } from '../domain/command-store.ts'
import type { SealedEvent, StreamHead } from '../domain/events.ts'
import { type Outcome, outcomeKey } from '../domain/outcomes.ts'
import type { MessageRow, UserRoomRow } from '../domain/projections.ts'
import type { RoomState } from '../domain/room.ts'
import type { UserState } from '../domain/user-stream.ts'

/** All that a store keeps, for whoever checks it. Rows are keyed by their primary key, its parts joined by a space. */
export interface MemoryStore extends CommandStore {
  readonly heads: ReadonlyMap<string, StreamHead>
  readonly events: ReadonlyMap<string, readonly SealedEvent[]>
  readonly outcomes: ReadonlyMap<string, Outcome>
  readonly rooms: ReadonlyMap<string, RoomState>
  readonly members: ReadonlyMap<string, number>
  readonly userRooms: ReadonlyMap<string, UserRoomRow>
  readonly messages: ReadonlyMap<string, MessageRow>
}

/**
 * The record in memory, for simulations: as Postgres would have it if every transaction took no time. Passes the same
 * contract suite.
 */
export function memoryStore(): MemoryStore {
  const heads = new Map<string, StreamHead>()
  const events = new Map<string, SealedEvent[]>()
  const outcomes = new Map<string, Outcome>()
  const rooms = new Map<string, RoomState>()
  const members = new Map<string, number>()
  const userRooms = new Map<string, UserRoomRow>()
  const messages = new Map<string, MessageRow>()

  const partitionOfStream = (stream: string) => partitionOf(stream, topics.commands.partitions)

  function load(request: Parameters<CommandStore['transact']>[0]): LoadedBatch {
    const pick = <V>(from: ReadonlyMap<string, V>, keys: readonly string[]) =>
      new Map(keys.flatMap((key): [string, V][] => (from.has(key) ? [[key, from.get(key)!]] : [])))
    const membersOf = (room: string) =>
      request.members.filter((asked) => asked.room === room && members.has(`${room} ${asked.user}`))
    const loadedRooms = [...pick(rooms, request.streams)].map(([name, room]): [string, RoomState] => {
      if (room.kind === 'none') return [name, room]
      const messageNo = heads.get(name)?.messageNo ?? 0
      return [name, { ...room, messageNo, members: new Set(membersOf(name).map(({ user }) => user)) }]
    })
    const users = new Map<string, UserState>()
    for (const { user, room } of request.userRooms) {
      const row = userRooms.get(`${user} ${room}`)
      const known = users.get(`user:${user}`)?.rooms
      if (row) users.set(`user:${user}`, { rooms: new Map(known).set(room, row) })
    }
    return {
      heads: pick(heads, request.streams),
      outcomes: pick(
        outcomes,
        request.outcomes.map(({ actor, id }) => outcomeKey(actor, id)),
      ),
      rooms: new Map(loadedRooms),
      users,
    }
  }

  return {
    heads,
    events,
    outcomes,
    rooms,
    members,
    userRooms,
    messages,

    async transact(request, decide) {
      const writes = decide(load(request))
      const clashes =
        writes.outcomes.some(({ actor, id }) => outcomes.has(outcomeKey(actor, id))) ||
        writes.ended.some(({ actor, id }) => outcomes.get(outcomeKey(actor, id))?.state !== 'held') ||
        writes.events.some(({ stream, seq }) => seq <= (heads.get(stream)?.seq ?? 0))
      if (clashes) throw new PassingFault('another writer was faster')
      for (const event of writes.events) {
        const stream = events.get(event.stream)
        if (stream) stream.push(event)
        else events.set(event.stream, [event])
      }
      for (const outcome of [...writes.outcomes, ...writes.ended])
        outcomes.set(outcomeKey(outcome.actor, outcome.id), outcome)
      for (const [stream, head] of writes.heads) heads.set(stream, head)
      const { projections } = writes
      for (const name of projections.rooms) rooms.set(name, writes.rooms.get(name) ?? { kind: 'none' })
      for (const { room, user, joinedSeq } of projections.members) {
        if (joinedSeq === undefined) members.delete(`${room} ${user}`)
        else members.set(`${room} ${user}`, joinedSeq)
      }
      for (const row of projections.userRooms) userRooms.set(`${row.user} ${row.room}`, row)
      for (const row of projections.messages) messages.set(`${row.room} ${row.seq}`, row)
      return writes
    },

    async markPublished(ranges) {
      for (const { stream, from, upTo } of ranges) {
        const head = heads.get(stream)
        if (head && head.publishedSeq >= from - 1 && head.publishedSeq < upTo) {
          heads.set(stream, { ...head, publishedSeq: upTo })
        }
      }
    },

    async unpublished(of, limit) {
      const names =
        'partition' in of
          ? [...heads.keys()].filter((stream) => partitionOfStream(stream) === of.partition).sort()
          : [of.stream]
      const upTo = 'upTo' in of ? of.upTo : Number.POSITIVE_INFINITY
      return names
        .flatMap((stream) => events.get(stream)?.slice(heads.get(stream)?.publishedSeq ?? 0) ?? [])
        .filter((event) => event.seq <= upTo)
        .slice(0, limit)
    },

    async claim(outcome) {
      const key = outcomeKey(outcome.actor, outcome.id)
      const standing = outcomes.get(key) ?? outcome
      outcomes.set(key, standing)
      return standing
    },
  }
}

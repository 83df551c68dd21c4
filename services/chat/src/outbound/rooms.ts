import {
  type CommandState,
  type Member,
  type Message,
  type Room,
  roomSubject,
  streamId,
  userSubject,
  type Visibility,
} from '@klatsch/contracts'
import type { Prisma } from '../../generated/prisma/client.ts'
import { userOf } from './accounts.ts'
import { answering, type PrismaClient } from './prisma.ts'

export interface Page<T, Position extends string | number = string> {
  readonly items: readonly T[]
  /** What to give as `after` (or `before`, going back) for the next page; absent on the last one. */
  readonly next?: Position
}

/** What people read. Says nothing about whether they may: that is asked of `room` first. */
export interface Rooms {
  /** The room as this user sees it; its insides (`head`, `lastMessageNo`) only for members. */
  room(roomId: string, userId: string): Promise<Room | undefined>
  list(
    userId: string,
    query: { readonly scope: 'mine' | 'public'; readonly after?: string | undefined; readonly limit: number },
  ): Promise<Page<Room>>
  members(
    roomId: string,
    query: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<Page<Member>>
  /** Ascending; `before` and `after` are exclusive seqs. Without `after`: the latest ones before `before`. */
  messages(
    roomId: string,
    query: {
      readonly before?: number | undefined
      readonly after?: number | undefined
      readonly limit: number
    },
  ): Promise<Page<Message, number>>
  command(userId: string, commandId: string): Promise<CommandState>
}

export function prismaRooms(prisma: PrismaClient): Rooms {
  /** Rooms with where they end, for their members. */
  async function seen(
    rows: readonly (Prisma.RoomModel & { readonly members: readonly unknown[] })[],
  ): Promise<Room[]> {
    const inside = rows.filter((row) => row.members.length > 0).map((row) => row.room)
    const streams = await prisma.stream.findMany({ where: { stream: { in: inside } } })
    const heads = new Map(streams.map((stream) => [stream.stream, stream]))
    return rows.map((row) => {
      const head = heads.get(row.room)
      return {
        id: streamId(row.room),
        name: row.name,
        topic: row.topic,
        visibility: row.visibility as Visibility,
        memberCount: Number(row.memberCount),
        member: row.members.length > 0,
        ...(head ? { head: Number(head.seq), lastMessageNo: Number(head.messageNo) } : {}),
      }
    })
  }

  const memberIs = (userId: string) => ({ members: { where: { userId }, select: { userId: true } } })

  async function room(roomId: string, userId: string): Promise<Room | undefined> {
    const row = await prisma.room.findUnique({
      where: { room: roomSubject(roomId) },
      include: memberIs(userId),
    })
    return row ? (await seen([row]))[0] : undefined
  }

  const list: Rooms['list'] = async (userId, { scope, after, limit }) => {
    const rows = await prisma.room.findMany({
      where: {
        ...(scope === 'mine' ? { members: { some: { userId } } } : { visibility: 'public' }),
        ...(after === undefined ? {} : { room: { gt: roomSubject(after) } }),
      },
      include: memberIs(userId),
      orderBy: { room: 'asc' },
      take: limit + 1,
    })
    const items = await seen(rows.slice(0, limit))
    const last = items.at(-1)
    return { items, ...(rows.length > limit && last ? { next: last.id } : {}) }
  }

  const members: Rooms['members'] = async (roomId, { after, limit }) => {
    const rows = await prisma.roomMember.findMany({
      where: { room: roomSubject(roomId), ...(after === undefined ? {} : { userId: { gt: after } }) },
      include: { user: true },
      orderBy: { userId: 'asc' },
      take: limit + 1,
    })
    const page = rows.slice(0, limit)
    const items = page.flatMap(({ user, joinedSeq }) =>
      user ? [{ user: userOf(user), joinedSeq: Number(joinedSeq) }] : [],
    )
    const last = page.at(-1)
    return { items, ...(rows.length > limit && last ? { next: last.userId } : {}) }
  }

  const messages: Rooms['messages'] = async (roomId, { before, after, limit }) => {
    const upwards = after !== undefined
    const rows = await prisma.message.findMany({
      where: {
        room: roomSubject(roomId),
        seq: { ...(upwards ? { gt: after } : {}), ...(before === undefined ? {} : { lt: before }) },
      },
      orderBy: { seq: upwards ? 'asc' : 'desc' },
      take: limit + 1,
    })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const items = page.map((row) => ({
      id: row.id,
      room: streamId(row.room),
      seq: Number(row.seq),
      messageNo: Number(row.messageNo),
      author: row.author,
      text: row.text,
      time: row.time.toISOString(),
    }))
    return {
      items: upwards ? items : items.reverse(),
      ...(rows.length > limit && last ? { next: Number(last.seq) } : {}),
    }
  }

  async function command(userId: string, commandId: string): Promise<CommandState> {
    const row = await prisma.commandOutcome.findUnique({
      where: { actor_id: { actor: userSubject(userId), id: commandId } },
    })
    if (!row) return { state: 'unknown' }
    return {
      state: row.state as CommandState['state'],
      ...(row.subject === null ? {} : { subject: row.subject }),
      ...(row.seq === null ? {} : { seq: Number(row.seq) }),
      ...(row.code === null ? {} : { code: row.code }),
    }
  }

  return {
    room: (roomId, userId) => answering(room(roomId, userId)),
    list: (userId, query) => answering(list(userId, query)),
    members: (roomId, query) => answering(members(roomId, query)),
    messages: (roomId, query) => answering(messages(roomId, query)),
    command: (userId, commandId) => answering(command(userId, commandId)),
  }
}

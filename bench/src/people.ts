import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createdRoomSubject, topics, userSubject } from '@klatsch/contracts'
import { importJWK, type JWK, SignJWT } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { commandMessage, sendAll } from './records.ts'
import type { Stack } from './stack.ts'

export interface Person {
  readonly id: string
  readonly actor: string
  readonly token: string
}

export interface Room {
  readonly subject: string
  readonly members: readonly Person[]
}

const TOKEN_S = 7_200
const ROOMS_MS = 60_000

/**
 * People with accounts and sessions, straight in the tables, and their tokens, signed with the key of `chat`: a
 * password is slow to hash on purpose, and none of that is measured here. `chat` must have run once.
 */
export async function makePeople({ sql }: Stack, count: number): Promise<Person[]> {
  const keys = await sql.query<{ kid: string; private_jwk: JWK }>(
    'SELECT kid, private_jwk FROM signing_keys ORDER BY created_at DESC LIMIT 1',
  )
  const { kid, private_jwk } = keys.rows[0]!
  const key = await importJWK(private_jwk, 'EdDSA')
  const now = Math.floor(Date.now() / 1_000)
  const made = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const id = randomUUID()
      const sid = randomUUID()
      const username = `bench-${id.slice(0, 8)}-${index}`
      const token = await new SignJWT({ sid, username, name: username, guest: false, admin: false })
        .setProtectedHeader({ alg: 'EdDSA', kid })
        .setSubject(id)
        .setIssuer('klatsch')
        .setAudience('klatsch')
        .setIssuedAt(now)
        .setExpirationTime(now + TOKEN_S)
        .sign(key)
      return { id, sid, username, token }
    }),
  )
  await sql.query(
    `INSERT INTO users (id, username, name_key, display_name, guest, created_at)
     SELECT id, name, name, name, false, now() FROM unnest($1::uuid[], $2::text[]) AS u (id, name)`,
    [made.map((person) => person.id), made.map((person) => person.username)],
  )
  await sql.query(
    `INSERT INTO sessions (id, user_id, created_at, expires_at)
     SELECT id, user_id, now(), now() + interval '1 day' FROM unnest($1::uuid[], $2::uuid[]) AS s (id, user_id)`,
    [made.map((person) => person.sid), made.map((person) => person.id)],
  )
  return made.map(({ id, token }) => ({ id, token, actor: userSubject(id) }))
}

/** Rooms of these members, by commands on the log that a running `chat` decides, follow-ups included. */
export async function makeRooms(
  { producer, sql }: Stack,
  memberships: readonly (readonly Person[])[],
): Promise<Room[]> {
  const topic = topics.commands.name
  const rooms = memberships.map((members) => {
    const id = uuidv7()
    const owner = members[0]!
    return { id, owner, members, subject: createdRoomSubject(owner.actor, id) }
  })
  await sendAll(
    producer,
    topic,
    rooms.map(({ id, owner, subject }, index) =>
      commandMessage({
        id,
        type: 'chat.room.create.v1',
        subject,
        actor: owner.actor,
        data: { name: `bench ${index}` },
      }),
    ),
  )
  const joins = rooms.flatMap(({ subject, members }) =>
    members
      .slice(1)
      .map(({ actor }) =>
        commandMessage({ id: uuidv7(), type: 'chat.room.join.v1', subject, actor, data: {} }),
      ),
  )
  await sendAll(producer, topic, joins)

  const expected = memberships.reduce((sum, members) => sum + members.length, 0)
  const deadline = Date.now() + ROOMS_MS
  for (;;) {
    const { rows } = await sql.query<{ count: string }>(
      'SELECT count(*) FROM user_rooms WHERE member AND room = ANY($1::text[])',
      [rooms.map((room) => room.subject)],
    )
    if (Number(rows[0]?.count) === expected) break
    if (Date.now() > deadline)
      throw new Error(`${rows[0]?.count} of ${expected} memberships after ${ROOMS_MS / 1_000} s`)
    await sleep(50)
  }
  return rooms.map(({ subject, members }) => ({ subject, members }))
}

/** 100 × 10 → a hundred rooms of ten different people each. */
export function seatInRooms(people: readonly Person[], rooms: number): Person[][] {
  const each = people.length / rooms
  return Array.from({ length: rooms }, (_, room) => people.slice(room * each, (room + 1) * each))
}

/** Strides that leave nobody out as long as the number of people is a product of 2 and 5. */
const STRIDES = [1, 3, 7, 9]

/** Rooms of so many; each person in as many as `each` (4 at most), with other people in each of them. */
export function seatInSeveral(people: readonly Person[], perRoom: number, each: number): Person[][] {
  return STRIDES.slice(0, each).flatMap((stride) => {
    const mixed = people.map((_, index) => people[(index * stride) % people.length]!)
    return seatInRooms(mixed, people.length / perRoom)
  })
}

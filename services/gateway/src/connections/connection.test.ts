import { closeCodes, KlatschError, type ServerFrame, userSubject } from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import { expect, test } from 'vitest'
import { framesOf, hubOver, subject, truth, user, virtualTime } from '../../test/engine.ts'
import { createConnections } from './connections.ts'
import { endOfTurn } from './turn.ts'

/** A gateway of one room, whose Postgres answers after `latency` ms, or fails. */
function gateway(latency: { ms: number; readable?: boolean; awayMs?: number }) {
  const time = virtualTime()
  const since = time.scheduler.now()
  const record = truth()
  const hub = hubOver(
    record,
    time,
    () => latency.ms,
    () => latency.readable ?? true,
  )
  const connections = createConnections(
    {
      hub,
      commands: { submit() {} } as never,
      verify: async (token): Promise<AuthenticatedUser> => {
        if (token === 'bad') throw new KlatschError('auth.invalid_token')
        if (time.scheduler.now() - since < (latency.awayMs ?? 0))
          throw new KlatschError('server.unavailable', undefined, { retryAfterMs: 400 })
        const id = token
        return { id, session: id, username: id, displayName: id, guest: false, admin: false, expiresAt: 1e15 }
      },
      limiter: { rate: { perSecond: 1, burst: 1 }, take: () => 0 },
      scheduler: time.scheduler,
      random: () => 0.5,
      newSessionId: () => 's',
      warn() {},
    },
    endOfTurn((run) => queueMicrotask(run)),
  )
  function dial(hello: object = {}, token = user) {
    const socket = { buffered: 0, frames: [] as ServerFrame[], closed: undefined as number | undefined }
    const connection = connections.add({
      get buffered() {
        return socket.buffered
      },
      write(chunks) {
        for (const chunk of chunks) socket.frames.push(...framesOf(chunk))
      },
      close: (code) => {
        socket.closed = code
      },
      ping() {},
      pauseReading() {},
      resumeReading() {},
    })
    const say = (frame: object) => connection.receive(JSON.stringify(frame))
    say({ type: 'hello', token, ...hello })
    const types = () => socket.frames.map((frame) => frame.type)
    return { socket, connection, say, types }
  }
  return { time, record, hub, connections, dial }
}

test('[W12] when Postgres cannot be asked, a hello is refused for the moment, and says when to come again', async () => {
  const latency = { ms: 950 }
  const { time, connections, dial } = gateway(latency)
  const { socket, connection } = dial()
  await time.pass(1_000)
  expect(socket.frames).toMatchObject([
    { type: 'error', code: 'server.internal', retryable: true, retryAfterMs: 3_000 },
  ])
  expect(socket.closed).toBe(closeCodes.tryAgainLater)
  expect(connections.refused).toBe(1)
  connections.remove(connection)
  expect(connections.users).toBe(0)
})

test('[W12] a hello that waited too long is refused for the moment', async () => {
  const { time, connections, dial } = gateway({ ms: 1e9 })
  const { socket } = dial()
  await time.pass(11_000)
  expect(socket.closed).toBeUndefined()
  await time.pass(4_000)
  expect(socket.frames).toMatchObject([{ type: 'error', code: 'server.overloaded', retryAfterMs: 3_000 }])
  expect(socket.closed).toBe(closeCodes.tryAgainLater)
  expect(connections.refused).toBe(1)
})

test('[W12] while chat is away a hello waits, and is answered when it is back', async () => {
  const { time, connections, dial } = gateway({ ms: 10, awayMs: 5_000 })
  const { socket, types } = dial()
  await time.pass(4_900)
  expect(types()).toEqual([])
  await time.pass(500)
  expect(types()).toEqual(['welcome', 'live'])
  expect(socket.closed).toBeUndefined()
  expect(connections.refused).toBe(0)
})

test('[W12] when chat stays away, a hello is refused for the moment', async () => {
  const { time, connections, dial } = gateway({ ms: 10, awayMs: 60_000 })
  const { socket } = dial()
  await time.pass(11_000)
  expect(socket.closed).toBeUndefined()
  await time.pass(4_000)
  expect(socket.frames).toMatchObject([{ type: 'error', code: 'server.unavailable', retryAfterMs: 3_000 }])
  expect(socket.closed).toBe(closeCodes.tryAgainLater)
  expect(connections.refused).toBe(1)
})

test('[W2] no hello closes with 4408', async () => {
  const { time, dial } = gateway({ ms: 1 })
  const { socket } = dial({ type: 'ping' })
  await time.pass(15_000)
  expect(socket.closed).toBe(closeCodes.noHello)
})

test('[W3] welcome first; a room joined while it opens is followed, as hello said', async () => {
  const { time, hub, record, dial } = gateway({ ms: 100 })
  const { socket, types } = dial({ mode: 'digest' })
  await time.pass(50)
  hub.users.arrive({
    userId: user,
    congested: false,
    crowded: false,
    closed: false,
    push() {},
    send() {},
    ended() {},
    doubted() {},
    joined() {},
    endSession() {},
  })
  record.append('chat.member.joined.v1', { user })
  await time.pass(500)
  expect(types()).toEqual(['welcome', 'chat.stream.digest.v1'])
  expect(socket.frames[0]).toMatchObject({ streams: [{ subject, first: 1, head: 0 }] })
})

test('more sockets of one user than may be are refused, also while they open', async () => {
  const { time, dial } = gateway({ ms: 100 })
  const sockets = Array.from({ length: 52 }, () => dial())
  await time.pass(1_000)
  expect(sockets.filter(({ socket }) => socket.closed === closeCodes.limits)).toHaveLength(2)
  expect(sockets.filter(({ types }) => types()[0] === 'welcome')).toHaveLength(50)
})

test('[W9] one’s own stream is always followed in full', async () => {
  const { time, dial, hub } = gateway({ ms: 1 })
  const { types, say } = dial()
  await time.pass(50)
  say({ type: 'follow', subject, mode: 'digest' })
  await time.pass(50)
  expect(types()).toEqual(['welcome', 'live', 'chat.stream.digest.v1'])
  say({ type: 'follow', subject })
  await time.pass(50)
  expect(types().slice(3)).toEqual(['live'])
  expect(hub.followers(subject)).toEqual([user])
  expect(hub.followers(userSubject(user))).toEqual([])
})

test('[D8] a membership that a forked history does not have is one no more', async () => {
  const latency: { ms: number; readable?: boolean } = { ms: 1 }
  const { time, record, dial, hub } = gateway(latency)
  record.append()
  const { types, socket } = dial()
  await time.pass(50)
  expect(types()).toEqual(['welcome', 'live'])
  const other = truth()
  other.append('chat.member.left.v1', { user })
  record.become(other)
  latency.readable = false
  // Found when heads are compared.
  await time.pass(30_000)
  expect(types().slice(2)).toEqual(['reset', 'unfollowed'])
  expect(socket.frames.at(-1)).toEqual({ type: 'unfollowed', subject, code: 'room.not_found' })
  expect(hub.followers(subject)).toEqual([])
})

test('what is unfollowed while it is being asked for is not followed', async () => {
  const { time, dial } = gateway({ ms: 50 })
  const { types, say } = dial({ follow: [] })
  await time.pass(100)
  say({ type: 'unfollow', subject })
  say({ type: 'follow', subject })
  say({ type: 'unfollow', subject })
  await time.pass(1_000)
  expect(types().slice(2)).toEqual(['unfollowed', 'unfollowed'])
})

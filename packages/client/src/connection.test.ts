import { KlatschError } from '@klatsch/contracts'
import { comeBackMs } from '@klatsch/streams'
import { describe, expect, test } from 'vitest'
import { bench, jwt } from '../test/bench.ts'

const kinds = (states: readonly { kind: string }[]) => states.map((state) => state.kind)

describe('connecting', () => {
  test('the token goes in the first frame, never in the address', async () => {
    const b = bench()
    b.client.connect()
    await b.settle()
    expect(b.socket.url).toBe('ws://server/ws')
    expect(b.socket.protocol).toBe('klatsch.v1')
    expect(b.socket.received).toEqual([])
    b.socket.open()
    expect(b.socket.received).toEqual([{ type: 'hello', token: 'token-1', follow: 'all', cursors: {} }])
    b.socket.welcome()
    expect(b.client.state).toMatchObject({ kind: 'connected', session: 's', user: { username: 'ada' } })
    expect(kinds(b.seen.state)).toEqual(['connecting', 'connected'])
  })

  test('connect() while connecting or connected changes nothing', async () => {
    const b = bench()
    await b.welcome()
    b.client.connect()
    await b.settle()
    expect(b.sockets).toHaveLength(1)
  })

  test('a server that never says welcome is given up', async () => {
    const b = bench()
    b.client.connect()
    await b.settle()
    b.socket.open()
    await b.scheduler.pass(15_000)
    expect(b.client.state.kind).toBe('waiting')
    expect(b.sockets[0]!.closedByClient).toBe(true)
  })

  test('waits grow with the time without a connection, and never above the cap', async () => {
    const b = bench()
    b.client.connect()
    const began = b.scheduler.now()
    const waits: number[] = []
    while (b.scheduler.now() - began < 120_000) {
      await b.settle()
      const away = b.scheduler.now() - began
      b.socket.cut()
      const { state } = b.client
      if (state.kind !== 'waiting') throw new Error(state.kind)
      const wait = state.retryAt - b.scheduler.now()
      expect(wait).toBe(comeBackMs(away, () => 0.5))
      waits.push(wait)
      await b.scheduler.pass(wait)
    }
    expect([waits[0], waits.at(-1)]).toEqual([250, 7_500])
    expect(waits.length).toBeLessThan(25)
  })

  test('after a steady connection the next try comes quickly again', async () => {
    const b = bench()
    const socket = await b.welcome()
    await b.scheduler.pass(5_000)
    socket.cut()
    expect(b.client.state).toMatchObject({ kind: 'waiting', attempt: 0, retryAt: b.scheduler.now() + 250 })
  })

  test('a server that welcomes and cuts at once is not hammered', async () => {
    const b = bench()
    for (let round = 0; round < 5; round += 1) {
      await b.welcome()
      b.socket.cut()
    }
    expect(b.client.state).toMatchObject({ kind: 'waiting', attempt: 5 })
  })

  test('connect() while waiting connects at once', async () => {
    const b = bench()
    await b.welcome()
    b.socket.cut()
    b.client.connect()
    await b.settle()
    expect(b.sockets).toHaveLength(2)
  })

  test('[W12] a server that is busy names a wait: that long at least, and each a little longer', async () => {
    const b = bench()
    b.client.connect()
    await b.settle()
    b.socket.open()
    b.socket.tell({
      type: 'error',
      code: 'server.unavailable',
      detail: 'busy',
      retryable: true,
      retryAfterMs: 8_000,
    })
    b.socket.cut(1012, 'server.unavailable')
    expect(b.client.state).toMatchObject({
      kind: 'waiting',
      code: 'server.unavailable',
      retryAt: b.scheduler.now() + 10_000,
    })
    await b.scheduler.pass(9_999)
    expect(b.sockets).toHaveLength(1)
    await b.scheduler.pass(1)
    expect(b.sockets).toHaveLength(2)
  })

  test('refused for limits: it stays away for 5 s at least', async () => {
    const b = bench()
    await b.welcome()
    b.socket.cut(4429)
    expect(b.client.state).toMatchObject({ retryAt: b.scheduler.now() + 5_250 })
  })

  test('what an old socket still says is heard no more', async () => {
    const b = bench()
    const socket = await b.welcome()
    await b.scheduler.pass(6_000)
    socket.cut()
    await b.scheduler.pass(125)
    await b.welcome()
    socket.cut()
    socket.tell({ type: 'goaway', withinMs: 0 })
    await b.scheduler.pass(1_000)
    expect([b.client.state.kind, b.sockets.length]).toEqual(['connected', 2])
  })

  test('frames and events of a later version, and what is no frame, are passed over', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.tell({ type: 'fireworks', colour: 'green' })
    socket.tell({ type: 'ack' })
    socket.tell({ type: 'reset', subject: 'room:a', reason: 'mood', from: 1, head: 2 })
    socket.tell({ specversion: '1.0', type: 'chat.typing.v1', subject: 'room:a' })
    socket.tell([1, 2])
    socket.tell({ type: 'constructor' })
    socket.raw('{')
    socket.raw('null')
    socket.raw(new ArrayBuffer(3))
    expect(b.client.state.kind).toBe('connected')
    expect(b.seen.event).toEqual([])
  })

  test('close(): no more connections, and connect() begins again', async () => {
    const b = bench()
    const socket = await b.welcome()
    await b.client.close()
    expect(socket.closedByClient).toBe(true)
    expect(b.client.state).toEqual({ kind: 'stopped', reason: 'closed' })
    await b.scheduler.pass(60_000)
    expect(b.sockets).toHaveLength(1)
    await b.welcome()
    expect(b.client.state.kind).toBe('connected')
  })

  test('closed by whoever hears of the connection: nothing is sent', async () => {
    const b = bench()
    b.client.on('state', (state) => void (state.kind === 'connected' && b.client.close()))
    b.client.command('chat.message.send.v1', 'room:a', { text: 'x' })
    await b.welcome()
    expect(b.client.state.kind).toBe('stopped')
    expect(b.sockets[0]!.commands).toEqual([])
  })
})

describe('heartbeat', () => {
  test('pings within the time the server named, and takes a silent server for dead', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.answersPings = false
    await b.scheduler.pass(20_000)
    expect(socket.of('ping')).toHaveLength(1)
    socket.tell({ type: 'pong' })
    await b.scheduler.pass(20_000)
    expect(socket.of('ping')).toHaveLength(2)
    expect(b.client.state.kind).toBe('connected')
    await b.scheduler.pass(10_000)
    expect(b.client.state).toMatchObject({ kind: 'waiting', reason: 'the server does not answer' })
  })

  test('any frame shows that the server lives', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.answersPings = false
    await b.scheduler.pass(25_000)
    socket.tell({ type: 'fireworks' })
    await b.scheduler.pass(10_000)
    expect(b.client.state.kind).toBe('connected')
  })
})

describe('tokens', () => {
  test('a newer one is given in band before the old one ends', async () => {
    const tokens: string[] = []
    const b: ReturnType<typeof bench> = bench({
      token: async (stale) => {
        tokens.push(stale ?? '')
        const seconds = b.scheduler.now() / 1_000
        return jwt({ iat: seconds, exp: seconds + 600 + tokens.length })
      },
    })
    const socket = await b.welcome()
    await b.scheduler.pass(540_500)
    expect(socket.of('auth')).toEqual([])
    await b.scheduler.pass(500)
    expect(socket.of('auth')).toHaveLength(1)
    expect(tokens[1]).toBe(socket.of('hello')[0]!.token)
    socket.tell({ type: 'authed', expiresIn: 100 })
    await b.scheduler.pass(75_000)
    expect(socket.of('auth')).toHaveLength(2)
  })

  test('where no newer one can be had now, it is asked for again; the connection stays', async () => {
    let calls = 0
    const b: ReturnType<typeof bench> = bench({
      token: async () => {
        calls += 1
        if (calls === 2) throw new KlatschError('server.unavailable')
        return jwt({ exp: b.scheduler.now() / 1_000 + 100 })
      },
    })
    const socket = await b.welcome()
    await b.scheduler.pass(75_000)
    expect([calls, socket.of('auth').length]).toEqual([2, 0])
    await b.scheduler.pass(10_000)
    expect([calls, socket.of('auth').length]).toEqual([3, 1])
  })

  test('a token the server refuses is replaced once', async () => {
    const b = bench()
    await b.welcome()
    b.socket.cut(4401, 'auth.expired')
    await b.scheduler.pass(1_000)
    expect(b.asked).toEqual([undefined, 'token-1'])
    b.socket.open()
    b.socket.welcome()
    expect(b.client.state.kind).toBe('connected')
  })

  test('refused with another token too: it stops and says why', async () => {
    const b = bench()
    b.client.connect()
    await b.settle()
    b.socket.open()
    b.socket.cut(4401)
    await b.scheduler.pass(1_000)
    b.socket.open()
    b.socket.tell({ type: 'error', code: 'auth.invalid_token', detail: 'no', retryable: false })
    b.socket.cut(4401, 'auth.invalid_token')
    expect(b.client.state).toEqual({
      kind: 'stopped',
      code: 'auth.invalid_token',
      reason: 'auth.invalid_token',
    })
    await b.scheduler.pass(60_000)
    expect(b.sockets).toHaveLength(2)
  })

  test('no session any more: it stops; server away: it tries again', async () => {
    const errors = [
      new KlatschError('server.unavailable'),
      new TypeError('fetch failed'),
      new KlatschError('auth.required'),
    ]
    const b = bench({ token: () => Promise.reject(errors.shift()) })
    b.client.connect()
    await b.settle()
    expect(b.client.state.kind).toBe('waiting')
    await b.scheduler.pass(250)
    expect(b.client.state).toMatchObject({ kind: 'waiting', reason: 'fetch failed' })
    await b.scheduler.pass(750)
    expect(b.client.state).toMatchObject({ kind: 'stopped', code: 'auth.required' })
  })

  test('a token that cannot be read is not renewed by time', async () => {
    const b = bench()
    await b.welcome()
    await b.scheduler.pass(30 * 60_000)
    expect(b.asked).toHaveLength(1)
  })
})

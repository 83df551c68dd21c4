import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { bench } from '../test/bench.ts'

let visibilityState = 'visible'
let page: EventTarget
let shown: EventTarget

beforeEach(() => {
  page = new EventTarget()
  shown = new EventTarget()
  visibilityState = 'visible'
  Object.defineProperty(shown, 'visibilityState', { get: () => visibilityState })
  vi.stubGlobal('document', shown)
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
})
afterEach(() => vi.unstubAllGlobals())

describe('waking up', () => {
  const ways: readonly [string, () => void][] = [
    ['online', () => page.dispatchEvent(new Event('online'))],
    [
      'pageshow, out of the back-forward cache',
      () => page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true })),
    ],
    ['visible again', () => shown.dispatchEvent(new Event('visibilitychange'))],
    ['resume', () => shown.dispatchEvent(new Event('resume'))],
  ]
  test.for(ways)('%s: no more waiting', async ([, happen]) => {
    const b = bench()
    await b.welcome()
    b.socket.cut()
    happen()
    await b.settle()
    expect(b.sockets).toHaveLength(2)
  })

  test('hidden, or shown for the first time: nothing', async () => {
    const b = bench()
    await b.welcome()
    b.socket.cut()
    visibilityState = 'hidden'
    shown.dispatchEvent(new Event('visibilitychange'))
    page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }))
    await b.settle()
    expect(b.sockets).toHaveLength(1)
  })

  test('a connection must show soon that it lives', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.answersPings = false
    page.dispatchEvent(new Event('online'))
    await b.scheduler.pass(4_000)
    expect(b.client.state).toMatchObject({ kind: 'waiting', reason: 'the server does not answer' })
  })

  test('a try begun in another network begins anew', async () => {
    const b = bench()
    b.client.connect()
    await b.scheduler.pass(3_000)
    page.dispatchEvent(new Event('online'))
    await b.scheduler.pass(1_000)
    expect(b.sockets).toHaveLength(2)
    expect(b.sockets[0]!.closedByClient).toBe(true)
  })

  test('a wait the server asked for is kept; connect() by hand is not held', async () => {
    const b = bench()
    await b.welcome()
    b.socket.cut(4429)
    page.dispatchEvent(new Event('online'))
    await b.settle()
    expect(b.sockets).toHaveLength(1)
    b.client.connect()
    await b.settle()
    expect(b.sockets).toHaveLength(2)
  })

  test('closed: nothing is heard any more', async () => {
    const b = bench()
    await b.welcome()
    await b.client.close()
    page.dispatchEvent(new Event('online'))
    await b.settle()
    expect(b.sockets).toHaveLength(1)
  })
})

import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { klatsch } from './command-line.ts'
import { registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame } from './wire.ts'

// Reached by its data folder, which only the stack of these tests has.
describe.skipIf(inject('stack').dataDir === '')('the way from the services to the servers', () => {
  let ada: TestPerson
  let room: string
  beforeAll(async () => {
    ada = await registered()
    room = await roomOf(ada)
  })
  afterEach(async () => {
    await klatsch('network', '--halt')
  })

  interface State {
    routes: { target: string; service: string; accepted: number; met: Record<string, number> }[]
    rules: { target: string; services: string[]; fault: { kind: string } }[]
  }
  const state = async (): Promise<State> => JSON.parse((await klatsch('network', '--json')).out)

  test('goes through proxies, one for each service and server', async () => {
    const { routes, rules } = await state()
    expect(rules).toEqual([])
    expect(routes.map(({ target, service }) => `${service} to ${target}`)).toEqual([
      'chat to kafka',
      'gateway to kafka',
      'presence to kafka',
      'lab to kafka',
      'chat to postgres',
      'lab to postgres',
    ])
    for (const route of routes) expect(route.accepted, JSON.stringify(route)).toBeGreaterThan(0)
  })

  test.each([
    ['kafka', '--cut'],
    ['kafka', '--half-open'],
    ['kafka', '--stall'],
    ['kafka', '--lose-answers'],
    ['postgres', '--cut'],
    ['postgres', '--half-open'],
    ['postgres', '--stall'],
    ['postgres', '--lose-answers'],
  ])('%s %s: what is sent meanwhile has its outcome when it is over, and once', async (target, how) => {
    const wire = await enter(ada.token)
    await acked(wire, sendFrame(v7(), room, 'before'))
    const { code, out } = await klatsch('network', target, how, '--for', '5s')
    expect([code, out]).toEqual([0, expect.stringContaining(`${target} for chat, `)])
    // The gateway may refuse it while the servers are away; who sends tries again under the same id.
    const id = v7()
    const isAcked = () => wire.received.some((frame) => frame.type === 'ack' && frame.id === id)
    await expect
      .poll(
        () => {
          if (!isAcked()) wire.send(sendFrame(id, room, id))
          return isAcked()
        },
        { timeout: 40_000, interval: 500 },
      )
      .toBe(true)
    await expect.poll(async () => (await state()).rules, { timeout: 10_000 }).toEqual([])
    const told = () => wire.events(room).filter(({ data }) => (data as { text?: string }).text === id)
    await expect.poll(() => told().length, { timeout: 10_000 }).toBe(1)
    wire.close()
  })

  test('latency is felt; the same way is spoilt for one service alone', async () => {
    const wire = await enter(ada.token)
    await acked(wire, sendFrame(v7(), room, 'before'))
    await klatsch('network', 'postgres', '--latency', '300', '--for', '1m', '--service', 'chat')
    const then = performance.now()
    await acked(wire, sendFrame(v7(), room, 'late'))
    expect(performance.now() - then).toBeGreaterThan(300)
    expect((await state()).rules).toMatchObject([{ services: ['chat'], fault: { kind: 'slow' } }])
    wire.close()
  })

  test('"faults halt" calls it off too, though nobody can sign in while Postgres is cut', async () => {
    await klatsch('network', 'postgres', '--cut', '--for', '10m')
    const { out } = await klatsch('faults', 'halt')
    expect(out).toContain('1 faults of the network called off')
    expect((await state()).rules).toEqual([])
    const wire = await enter(ada.token)
    await acked(wire, sendFrame(v7(), room, 'after'))
    wire.close()
  })

  test('what cannot be is said', async () => {
    const nobody = await klatsch('network', 'postgres', '--cut', '--for', '1s', '--service', 'gateway')
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('gateway has no way to postgres')])
    expect((await klatsch('network', 'kafka', '--cut')).err).toContain('every fault ends by itself')
  })
})

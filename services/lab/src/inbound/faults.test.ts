import { type FaultRule, type NewFault, newFaultSchema, topics } from '@klatsch/contracts'
import { memoryEventBus } from '@klatsch/event-bus'
import { type FaultBoard, faultBoard, faultPoints, listenForFaults } from '@klatsch/service-kit'
import { v4 } from 'uuid'
import { afterEach, expect, test } from 'vitest'
import type { FaultOrders } from '../outbound/fault-orders.ts'
import { faultOrders } from '../outbound/fault-orders.ts'
import { faultControl } from './faults.ts'

const by = { actor: 'user:00000000-0000-4000-8000-00000000000a', name: 'ada' }
const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** The laboratory and instances of services over a log in memory; calls over HTTP go straight to the boards. */
async function world() {
  const bus = memoryEventBus({ log: quiet })
  closing.push(() => bus.close())
  const publisher = await bus.publisher()
  const boards = new Map<string, FaultBoard>()
  const audited: string[] = []
  const kept = new Map<string, FaultRule>()
  const orders: FaultOrders = {
    ...faultOrders(publisher, 'secret'),
    haltAll: async (urls, at) =>
      urls.map((url) => {
        boards.get(url)?.halt(at.getTime())
        return { url, ok: boards.has(url), afterMs: 0 }
      }),
  }
  const control = faultControl({
    points: Object.entries(faultPoints).map(([name, about]) => ({ name, ...about })),
    orders,
    rules: {
      open: async () => [...kept.values()],
      add: async (rule) => void kept.set(rule.id, rule),
      halt: async (ids) => ids.forEach((id) => void kept.delete(id)),
    },
    audit: { write: async (_who, action) => void audited.push(action), list: async () => [] },
    now: Date.now,
    newId: v4,
    newSeed: () => 7,
    warn: quiet.warn,
  })
  const consumer = await bus.consume({
    group: 'lab',
    topics: [topics.labInstances.name],
    start: 'end',
    handler: control.heard,
  })
  await consumer.ready

  async function instance(service: string, name: string): Promise<FaultBoard> {
    const board = faultBoard({ service, instance: name, crash() {} })
    const link = await listenForFaults({ board, bus, publisher, url: name, debug() {} })
    closing.push(() => link.close())
    boards.set(name, board)
    await expect.poll(() => control.list().instances.map((each) => each.instance)).toContain(name)
    return board
  }
  const set = (order: Partial<NewFault> & { point: string; effect: NewFault['effect'] }) =>
    control.set(newFaultSchema.parse({ forMs: 60_000, ...order }), by)
  return { control, instance, set, audited, kept }
}
const drop = { kind: 'drop' } as const

test('an order stands in every instance of its service when it is answered, and in no other', async () => {
  const { instance, set, audited, kept } = await world()
  const one = await instance('gateway', 'gateway-1')
  const two = await instance('gateway', 'gateway-2')
  const chat = await instance('chat', 'chat-1')
  const fault = await set({ point: 'gateway.command', effect: drop })
  expect(fault).toMatchObject({ state: 'active', of: 2, rule: { seed: 7, setBy: by.actor } })
  expect(fault.active.map(({ instance: name }) => name)).toEqual(['gateway-1', 'gateway-2'])
  expect([one, two].map((board) => board.point('gateway.command').armed)).toEqual([true, true])
  expect(chat.rules).toEqual([])
  expect([audited, [...kept.keys()]]).toEqual([['fault.set'], [fault.rule.id]])

  const single = await set({ point: 'gateway.command', effect: drop, who: { instances: ['gateway-2'] } })
  expect(single).toMatchObject({ of: 1, active: [{ instance: 'gateway-2' }] })
})

test('what struck is counted, and a rule called off stands nowhere', async () => {
  const { control, instance, set } = await world()
  const board = await instance('gateway', 'gateway-1')
  const { rule } = await set({ point: 'gateway.command', effect: drop })
  board.point('gateway.command').judge({})
  const halted = await control.halt(rule.id, by)
  expect(halted).toMatchObject({ state: 'halted', active: [] })
  await expect.poll(() => board.rules).toEqual([])
  await expect(control.halt(v4(), by)).rejects.toMatchObject({ code: 'request.not_found' })
})

test('an instance that starts later gets only what is meant to survive', async () => {
  const { instance, set } = await world()
  await instance('gateway', 'gateway-1')
  const lasting = await set({ point: 'gateway.command', effect: drop, survivesRestart: true })
  await set({ point: 'gateway.deliver', effect: drop })
  const later = await instance('gateway', 'gateway-2')
  await expect.poll(() => later.rules.map(({ id }) => id)).toEqual([lasting.rule.id])
})

test('all are called off at once, and none comes back with what is still on the log', async () => {
  const { control, instance, set, audited, kept } = await world()
  const board = await instance('gateway', 'gateway-1')
  await set({ point: 'gateway.command', effect: drop, survivesRestart: true })
  const halt = await control.haltAll(by)
  expect(halt).toEqual({ rules: 1, instances: [{ url: 'gateway-1', ok: true, afterMs: 0 }] })
  expect(board.rules).toEqual([])
  await expect.poll(() => [audited.at(-1), kept.size]).toEqual(['fault.halted-all', 0])
  const later = await instance('gateway', 'gateway-2')
  expect(later.rules).toEqual([])
})

test('an order that no point can carry out is refused, with the reason', async () => {
  const { set } = await world()
  await expect(set({ point: 'gateway.moon', effect: drop })).rejects.toThrow('there is no fault point')
  await expect(set({ point: 'chat.persist', effect: drop })).rejects.toThrow(
    'at chat.persist there can be error, delay, hang, crash, and no drop',
  )
  const rooms = { rooms: ['room:a'] }
  await expect(set({ point: 'presence.lease', effect: drop, who: rooms })).rejects.toThrow(
    'presence.lease knows nobody in particular, and no rooms',
  )
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NetworkFault } from './fault.ts'
import type { FaultyProxy } from './proxy.ts'
import { networkRules, type Route } from './rules.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function network() {
  const stands: Record<string, NetworkFault['kind'] | undefined> = {}
  const draws: Record<string, number[]> = {}
  const route = (target: Route['target'], service: string) => {
    const proxy: FaultyProxy = {
      ...{ port: 0, connections: 2 },
      counts: { slow: 0, stall: 0, 'half-open': 0, cut: 0, 'lost-answers': 0 },
      async set(fault, random) {
        stands[`${target} ${service}`] = fault?.kind
        if (random) draws[service] = [random(), random()]
      },
      strike: () => 0,
      calm: async () => {},
      close: async () => {},
    }
    return { target, service, proxy }
  }
  const routes = [route('kafka', 'chat'), route('kafka', 'gateway'), route('postgres', 'chat')]
  return { stands, draws, rules: networkRules(routes, Date.now) }
}
const cut = { kind: 'cut' } as const
const stall = { kind: 'stall' } as const

test('a fault stands between all services and its target, and ends by itself', async () => {
  const { stands, rules } = network()
  const rule = await rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  expect(rule).toMatchObject({ services: ['chat', 'gateway'], until: '2026-01-01T00:00:05.000Z' })
  expect(stands).toEqual({ 'kafka chat': 'cut', 'kafka gateway': 'cut' })
  await vi.advanceTimersByTimeAsync(4_999)
  expect(rules.state.rules).toEqual([rule])
  await vi.advanceTimersByTimeAsync(1)
  expect([rules.state.rules, stands['kafka chat']]).toEqual([[], undefined])
})

test('a newer one takes its place where both would be, and the older one does not end it', async () => {
  const { stands, rules } = network()
  await rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  await rules.set({ target: 'kafka', fault: stall, forMs: 9_000, services: ['gateway'] })
  expect(rules.state.rules.map(({ fault, services }) => [fault.kind, services])).toEqual([
    ['cut', ['chat']],
    ['stall', ['gateway']],
  ])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(stands).toEqual({ 'kafka chat': undefined, 'kafka gateway': 'stall' })
})

test('one is halted, or all', async () => {
  const { stands, rules } = network()
  const first = await rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  await rules.set({ target: 'postgres', fault: stall, forMs: 5_000 })
  expect(await rules.halt(first.id)).toBe(1)
  expect(stands).toMatchObject({ 'kafka chat': undefined, 'postgres chat': 'stall' })
  await expect(rules.halt(first.id)).rejects.toThrow('There is no fault 1')
  expect([await rules.halt(), await rules.halt()]).toEqual([1, 0])
})

test('chance is by the seed, another for each route', async () => {
  const { draws, rules } = network()
  const slow = { kind: 'slow', jitterMs: 10 } as const
  const { seed } = await rules.set({ target: 'kafka', fault: slow, forMs: 1_000 })
  const first = { ...draws }
  expect(first.chat).not.toEqual(first.gateway)
  await rules.set({ target: 'kafka', fault: slow, forMs: 1_000, seed })
  expect(draws).toEqual(first)
})

test('what cannot be is refused with a sentence', async () => {
  const { rules } = network()
  const order = { target: 'postgres', fault: cut, forMs: 1_000 } as const
  await expect(rules.set({ ...order, services: ['gateway'] })).rejects.toThrow(
    'gateway has no way to postgres',
  )
  await expect(rules.set({ ...order, forMs: 0 })).rejects.toThrow('forMs')
  await expect(networkRules([], Date.now).set(order)).rejects.toThrow('cannot be spoilt')
})

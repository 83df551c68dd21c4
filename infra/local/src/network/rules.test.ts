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
      ...{ port: 0, connections: 2, losers: 0, accepted: 2 },
      counts: { slow: 0, stall: 0, 'half-open': 0, cut: 0, 'lost-answers': 0 },
      set(fault, random) {
        stands[`${target} ${service}`] = fault?.kind
        if (random) draws[service] = [random(), random()]
      },
      strike: () => 0,
      calm() {},
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
  const rule = rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  expect(rule).toMatchObject({ services: ['chat', 'gateway'], until: '2026-01-01T00:00:05.000Z' })
  expect(stands).toEqual({ 'kafka chat': 'cut', 'kafka gateway': 'cut' })
  await vi.advanceTimersByTimeAsync(4_999)
  expect(rules.state.rules).toEqual([rule])
  await vi.advanceTimersByTimeAsync(1)
  expect([rules.state.rules, stands['kafka chat']]).toEqual([[], undefined])
})

test('a newer one takes its place where both would be, and the older one does not end it', async () => {
  const { stands, rules } = network()
  rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  rules.set({ target: 'kafka', fault: stall, forMs: 9_000, services: ['gateway'] })
  expect(rules.state.rules.map(({ fault, services }) => [fault.kind, services])).toEqual([
    ['cut', ['chat']],
    ['stall', ['gateway']],
  ])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(stands).toEqual({ 'kafka chat': undefined, 'kafka gateway': 'stall' })
})

test('one is halted, or all', async () => {
  const { stands, rules } = network()
  const first = rules.set({ target: 'kafka', fault: cut, forMs: 5_000 })
  rules.set({ target: 'postgres', fault: stall, forMs: 5_000 })
  expect(rules.halt(first.id)).toBe(1)
  expect(stands).toMatchObject({ 'kafka chat': undefined, 'postgres chat': 'stall' })
  expect(() => rules.halt(first.id)).toThrow('There is no fault 1')
  expect([rules.halt(), rules.halt()]).toEqual([1, 0])
})

test('chance is by the seed, another for each route', async () => {
  const { draws, rules } = network()
  const slow = { kind: 'slow', jitterMs: 10 } as const
  const { seed } = rules.set({ target: 'kafka', fault: slow, forMs: 1_000 })
  const first = { ...draws }
  expect(first.chat).not.toEqual(first.gateway)
  rules.set({ target: 'kafka', fault: slow, forMs: 1_000, seed })
  expect(draws).toEqual(first)
})

test('what cannot be is refused with a sentence', async () => {
  const { rules } = network()
  const order = { target: 'postgres', fault: cut, forMs: 1_000 } as const
  expect(() => rules.set({ ...order, services: ['gateway'] })).toThrow('gateway has no way to postgres')
  expect(() => rules.set({ ...order, forMs: 0 })).toThrow('forMs')
  expect(() => networkRules([], Date.now).set(order)).toThrow('cannot be spoilt')
})

import { type FaultRule, faultRuleSchema } from '@klatsch/contracts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { faultBoard } from './board.ts'
import { faultPoints, isFaultPoint } from './points.ts'
import { faultyHandler, faultyPublisher, recordsPassing } from './records.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
const at = (ms: number) => new Date(START + ms).toISOString()
let ids = 0

function ruleOf(given: Partial<FaultRule> & Pick<FaultRule, 'effect'>): FaultRule {
  ids += 1
  return faultRuleSchema.parse({
    id: `00000000-0000-4000-8000-${String(ids).padStart(12, '0')}`,
    point: 'chat.publish',
    seed: 1,
    setAt: at(0),
    setBy: 'user:00000000-0000-4000-8000-00000000000a',
    from: at(0),
    until: at(60_000),
    ...given,
  })
}

function world() {
  vi.useFakeTimers({ now: START })
  const crash = vi.fn()
  const board = faultBoard({ service: 'chat', instance: 'chat-1', crash })
  const set = (given: Parameters<typeof ruleOf>[0]) => {
    const rule = ruleOf(given)
    board.take({ order: 'set', rule })
    return rule
  }
  return { board, point: board.point('chat.publish'), set, crash }
}
afterEach(() => vi.useRealTimers())

const record = (key: string, n = 0) => ({ key, headers: { actor: 'user:x' }, n })
const error = { kind: 'error', code: 'server.internal' } as const
const strikesOf = (point: { judge(target: object): unknown }, times: number): boolean[] =>
  Array.from({ length: times }, () => point.judge({ room: 'room:a' }) !== undefined)

describe('a rule', () => {
  test('strikes at its point alone, and the point is armed no longer than it stands', () => {
    const { board, point, set } = world()
    expect(point.armed).toBe(false)
    const rule = set({ effect: error })
    expect([point.armed, board.point('chat.persist').armed]).toEqual([true, false])
    expect(point.judge({})?.error?.code).toBe('server.internal')
    board.take({ order: 'halt', id: rule.id })
    expect([point.armed, point.judge({})]).toEqual([false, undefined])
  })

  test('ends by itself, whatever happens to the one who set it', () => {
    const { board, point, set } = world()
    set({ effect: error, until: at(5_000) })
    vi.advanceTimersByTime(4_999)
    expect(point.armed).toBe(true)
    vi.advanceTimersByTime(1)
    expect([point.armed, board.rules]).toEqual([false, []])
  })

  test('waits for its beginning, and is refused when it is over already', () => {
    const { point, set } = world()
    set({ effect: error, from: at(1_000) })
    expect(point.judge({})).toBeUndefined()
    vi.advanceTimersByTime(1_000)
    expect(point.judge({})).toBeDefined()
    const other = world()
    other.set({ effect: error, from: at(-10), until: at(0) })
    expect(other.point.armed).toBe(false)
  })

  test('meets only whom it names: room, person, session, instance', () => {
    const { point, set } = world()
    set({ effect: error, who: { rooms: ['room:a'], people: ['user:00000000-0000-4000-8000-00000000000a'] } })
    const person = 'user:00000000-0000-4000-8000-00000000000a'
    expect(point.judge({ room: 'room:a', person })).toBeDefined()
    expect(point.judge({ room: 'room:b', person })).toBeUndefined()
    expect(point.judge({ room: 'room:a' })).toBeUndefined()
    const sessions = world()
    sessions.set({ effect: error, who: { sessions: ['s'] } })
    expect(sessions.point.judge({ session: 's' })).toBeDefined()
    expect(sessions.point.judge({ session: 't' })).toBeUndefined()
    const elsewhere = world()
    elsewhere.set({ effect: error, who: { instances: ['chat-2'] } })
    expect(elsewhere.point.armed).toBe(false)
  })

  test('strikes so often in a hundred, and the same times for the same seed', () => {
    const draw = (seed: number) => {
      const { point, set } = world()
      set({ effect: error, percent: 30, seed })
      return strikesOf(point, 1_000)
    }
    const struck = draw(7)
    expect(struck.filter(Boolean).length).toBeGreaterThan(250)
    expect(struck.filter(Boolean).length).toBeLessThan(350)
    expect(draw(7)).toEqual(struck)
    expect(draw(8)).not.toEqual(struck)
  })

  test('strikes the first so many times, and counts them', () => {
    const { board, point, set } = world()
    set({ effect: error, first: 2 })
    expect(strikesOf(point, 4)).toEqual([true, true, false, false])
    expect(board.rules).toEqual([expect.objectContaining({ strikes: 2 })])
  })

  test('that was halted does not rise again, however late its order comes', () => {
    const { board, point, set } = world()
    set({ effect: error })
    expect(board.halt(START + 10)).toBe(1)
    set({ effect: error, setAt: at(5) })
    expect(point.armed).toBe(false)
    set({ effect: error, setAt: at(11) })
    expect(point.armed).toBe(true)
  })

  test('that hangs or delays lets go when it is halted', async () => {
    const { board, point, set } = world()
    set({ effect: { kind: 'hang' } })
    set({ effect: { kind: 'delay', ms: 50_000, jitterMs: 0 } })
    const done = vi.fn()
    const waiting = point.strike([{}]).then(done)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(done).not.toHaveBeenCalled()
    board.halt(START)
    await waiting
  })

  test('that crashes ends the process there and then', () => {
    const { point, set, crash } = world()
    set({ effect: { kind: 'crash' } })
    point.judge({})
    expect(crash).toHaveBeenCalledOnce()
  })
})

test('a clock is shifted for as long as the rule stands, whatever it says itself', () => {
  const { board, set } = world()
  expect(board.clock.now()).toBe(START)
  set({ point: 'chat.clock', effect: { kind: 'shift', ms: 3_600_000 }, until: at(5_000) })
  set({ point: 'chat.clock', effect: { kind: 'shift', ms: -1_000 }, from: at(2_000), until: at(9_000) })
  expect(board.clock.now()).toBe(START + 3_600_000)
  vi.advanceTimersByTime(2_000)
  expect(board.clock.now()).toBe(START + 2_000 + 3_599_000)
  expect(board.rules.map(({ strikes }) => strikes)).toEqual([1, 1])
  vi.advanceTimersByTime(3_000)
  expect(board.clock.now()).toBe(START + 4_000)
  board.halt(START)
  expect(board.clock.now()).toBe(START + 5_000)
})

test('of several targets the longest wait counts, and then the first error', async () => {
  const { point, set } = world()
  set({ effect: { kind: 'delay', ms: 300, jitterMs: 0 }, who: { rooms: ['room:a'] } })
  set({ effect: error, who: { rooms: ['room:b'] } })
  const struck = point.strike([{ room: 'room:a' }, { room: 'room:b' }, { room: 'room:c' }])
  const failed = expect(struck).rejects.toMatchObject({ code: 'server.internal' })
  await vi.advanceTimersByTimeAsync(300)
  await failed
})

describe('a publisher', () => {
  function published() {
    const { point, set } = world()
    const sent: string[] = []
    const inner = {
      queued: 3,
      async publish(records: readonly ReturnType<typeof record>[]) {
        sent.push(records.map(({ key, n }) => `${key}${n}`).join(' '))
      },
    }
    return { set, sent, publisher: faultyPublisher(inner, point) }
  }

  test('is itself while nothing is the matter', async () => {
    const { sent, publisher } = published()
    await publisher.publish([record('a'), record('b')])
    expect([sent, publisher.queued]).toEqual([['a0 b0'], 3])
  })

  test('loses and doubles what it says it has published', async () => {
    const { set, sent, publisher } = published()
    set({ effect: { kind: 'drop' }, who: { rooms: ['room:a'] } })
    set({ effect: { kind: 'duplicate', times: 2 }, who: { rooms: ['room:b'] } })
    await publisher.publish([record('room:a'), record('room:b'), record('room:c')])
    expect(sent).toEqual(['room:b0 room:b0 room:b0 room:c0'])
    await publisher.publish([record('room:a')])
    expect(sent).toHaveLength(1)
  })

  test('is late with what is delayed, and does not wait for what is reordered', async () => {
    const { set, sent, publisher } = published()
    set({ effect: { kind: 'delay', ms: 100, jitterMs: 0 }, who: { rooms: ['room:a'] } })
    set({ effect: { kind: 'reorder', withinMs: 50 }, who: { rooms: ['room:b'] } })
    const done = vi.fn()
    void publisher.publish([record('room:b', 1), record('room:b', 2), record('room:c')]).then(done)
    await vi.advanceTimersByTimeAsync(0)
    expect([done.mock.calls.length, sent[0]]).toEqual([1, 'room:c0'])
    await vi.advanceTimersByTimeAsync(50)
    expect(sent.slice(1).sort()).toEqual(['room:b1', 'room:b2'])
    const late = publisher.publish([record('room:a'), record('room:c')])
    await vi.advanceTimersByTimeAsync(100)
    await late
    expect(sent.slice(3)).toEqual(['room:c0', 'room:a0'])
  })

  test('that fails publishes nothing', async () => {
    const { set, sent, publisher } = published()
    set({ effect: { ...error, code: 'server.unavailable' }, who: { rooms: ['room:a'] } })
    await expect(publisher.publish([record('room:b'), record('room:a')])).rejects.toMatchObject({
      code: 'server.unavailable',
    })
    expect(sent).toEqual([])
  })
})

test('a handler gets what is left, doubled and in another order; of nothing it is not told', async () => {
  const { point, set } = world()
  const handled: string[][] = []
  const handle = faultyHandler(async (records: readonly ReturnType<typeof record>[]) => {
    handled.push(records.map(({ key }) => key))
  }, point)
  const context = { signal: new AbortController().signal }
  await handle([record('room:a')], context)
  set({ effect: { kind: 'drop' }, who: { rooms: ['room:a'] } })
  set({ effect: { kind: 'duplicate', times: 1 }, who: { rooms: ['room:b'] } })
  set({ effect: { kind: 'reorder', withinMs: 1 }, who: { rooms: ['room:c'] } })
  await handle([record('room:c'), record('room:a'), record('room:b')], context)
  await handle([record('room:a')], context)
  expect(handled).toEqual([['room:a'], ['room:b', 'room:b', 'room:c']])
})

test('what passes a point without waiting comes later, and never more than so much is held', async () => {
  const { point, set } = world()
  const later: string[] = []
  const pass = recordsPassing<ReturnType<typeof record>>(point, (records) =>
    later.push(...records.map(({ key }) => key)),
  )
  const all = [record('room:a'), record('room:b')]
  expect(pass(all)).toBe(all)
  set({ effect: { kind: 'delay', ms: 10, jitterMs: 0 }, who: { rooms: ['room:a'] } })
  expect(pass(all).map(({ key }) => key)).toEqual(['room:b'])
  await vi.advanceTimersByTimeAsync(10)
  expect(later).toEqual(['room:a'])
  const many = Array.from({ length: 10_003 }, () => record('room:a'))
  expect(pass(many)).toHaveLength(3)
})

test('every point says where it is and what can happen there', () => {
  for (const [name, { service, effects }] of Object.entries(faultPoints)) {
    expect(name.startsWith(`${service}.`)).toBe(true)
    expect(effects.length).toBeGreaterThan(0)
  }
  expect(isFaultPoint('toString')).toBe(false)
})

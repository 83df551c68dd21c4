import { afterEach, expect, test } from 'vitest'
import { controlServer, type StackCalls } from './control.ts'
import { askStack, askToRestart } from './control-client.ts'
import { replaceable } from './replaceable.ts'
import { partsToRestart, type RestartStep, restartInTurn } from './restart.ts'
import type { Supervised } from './supervisor.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const refuse = () => {
  throw new Error('not here')
}
const noCalls: StackCalls = {
  'network/set': refuse,
  'network/state': refuse,
  'network/halt': refuse,
  'parts/kill': refuse,
  'parts/freeze': refuse,
  'parts/wake': refuse,
}

/** A part of which each process writes down what is done to it. */
function thing(name: string, { besides = true, fails = false } = {}) {
  const story: string[] = []
  let made = 0
  const make = (): Supervised => {
    made += 1
    const id = `${name}${made}`
    const mine = made
    return {
      name,
      state: { kind: 'stopped' },
      pid: mine,
      async start() {
        story.push(`${id} starts`)
        if (fails && mine > 1) throw new Error(`${id} has a typing error`)
      },
      async ready() {},
      kill: (signal) => void story.push(`${id} ${signal}`),
      stop: async (how) => void story.push(`${id} stops${how ? ` by ${how.signal}` : ''}`),
    }
  }
  const retirement = { signal: 'SIGTERM', withinMs: 1_000 } as const
  return { story, part: replaceable(make, { retirement, besides }) }
}

test('the successor is ready before the old one is told to end', async () => {
  const { story, part } = thing('a')
  await part.start()
  await part.replace(() => story.push('handed over'))
  expect(story).toEqual(['a1 starts', 'a2 starts', 'handed over', 'a1 stops by SIGTERM'])
  expect(part.pid).toBe(2)
})

test('where two cannot be side by side, the old one ends first', async () => {
  const { story, part } = thing('a', { besides: false })
  await part.start()
  await part.replace()
  expect(story).toEqual(['a1 starts', 'a1 stops by SIGTERM', 'a1 starts'])
})

test('a successor that does not come up changes nothing', async () => {
  const { story, part } = thing('a', { fails: true })
  await part.start()
  await expect(part.replace()).rejects.toThrow('a2 has a typing error')
  expect(part.pid).toBe(1)
  expect(story).toEqual(['a1 starts', 'a2 starts', 'a2 stops'])
  await part.stop()
  expect(story.at(-1)).toBe('a1 stops')
})

test('names of parts mean all of their kind', () => {
  const all = ['chat', 'presence', 'gateway', 'gateway-2']
  expect(partsToRestart(all, [])).toEqual(all)
  expect(partsToRestart(all, ['gateway'])).toEqual(['gateway', 'gateway-2'])
  expect(partsToRestart(all, ['gateway-2', 'chat'])).toEqual(['chat', 'gateway-2'])
  expect(() => partsToRestart(all, ['kafka'])).toThrow('kafka cannot be restarted in turn')
})

test('a stack is told over its control address, step by step, and by whoever has the token alone', async () => {
  const [a, b] = [thing('a'), thing('b', { fails: true })]
  const parts = new Map([
    ['a', a.part],
    ['b', b.part],
  ])
  for (const part of parts.values()) await part.start()
  const control = await controlServer((named, onStep) => restartInTurn(parts, named, onStep), noCalls)
  closing.push(control.close)
  const steps: string[] = []
  const onStep = ({ part, step }: RestartStep) => void steps.push(`${part} ${step}`)
  await expect(askToRestart({ ...control, token: 'another' }, [], onStep)).rejects.toThrow('401')
  await expect(askToRestart(control, [], onStep)).rejects.toThrow('b2 has a typing error')
  expect(steps).toEqual(['a starting', 'a handing over', 'a done', 'b starting'])
  await askToRestart(control, ['a'], onStep)
  expect(steps.slice(4)).toEqual(['a starting', 'a handing over', 'a done'])
  control.close()
  await expect(askToRestart(control, [], onStep)).rejects.toThrow('does not answer')
})

test('a call has one answer, or the reason why not', async () => {
  const asked: unknown[] = []
  const control = await controlServer(async () => {}, {
    ...noCalls,
    'parts/freeze': (which) => {
      asked.push(which)
      return 7
    },
  })
  closing.push(control.close)
  expect(await askStack(control, 'parts/freeze', { part: 'a', forMs: 5 })).toBe(7)
  expect(asked).toEqual([{ part: 'a', forMs: 5 }])
  await expect(askStack(control, 'parts/kill', { part: 'a' })).rejects.toThrow('not here')
  await expect(askStack({ ...control, token: 'x' }, 'parts/kill', { part: 'a' })).rejects.toThrow('401')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inGroups } from './groups.ts'

const calm = new AbortController().signal
const range = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}`)

/** Work that ends when told to. */
function heldWork() {
  const begun: { commands: readonly string[]; end: PromiseWithResolvers<void> }[] = []
  const add = inGroups<string>((commands) => {
    const end = Promise.withResolvers<void>()
    begun.push({ commands, end })
    return end.promise
  })
  return { add, begun }
}

test('what comes alone goes at once; what comes while two groups are worked on goes together', async () => {
  const { add, begun } = heldWork()
  const first = add(['a'], calm)
  void add(['b'], calm)
  const rest = [add(['c', 'd'], calm), add(['e'], calm)]
  expect(begun.map(({ commands }) => commands)).toEqual([['a'], ['b']])
  begun[0]!.end.resolve()
  await first
  await expect.poll(() => begun[2]?.commands).toEqual(['c', 'd', 'e'])
  begun[2]!.end.resolve()
  await Promise.all(rest)
})

test('a group holds 500 commands, or one batch that is larger', async () => {
  const { add, begun } = heldWork()
  for (const name of 'ab') void add([name], calm)
  for (const [name, count] of Object.entries({ c: 300, d: 300, e: 900, f: 1 }))
    void add(range(count, name), calm)
  for (let ended = 0; ended < 5; ended += 1) {
    await expect.poll(() => begun.length).toBeGreaterThan(ended)
    begun[ended]!.end.resolve()
  }
  await expect.poll(() => begun.map(({ commands }) => commands.length)).toEqual([1, 1, 300, 300, 900, 1])
})

test('what fails together fails alone; its neighbours do not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 300 }), bad: fc.boolean() }), { maxLength: 30 }),
      async (batches) => {
        const done: string[] = []
        const add = inGroups<string>(async (commands) => {
          await Promise.resolve()
          if (commands.some((command) => command.startsWith('bad'))) throw new Error('bad')
          done.push(...commands)
        })
        const parts = batches.map(({ size, bad }, index) => range(size, `${bad ? 'bad' : 'good'} ${index}.`))
        const ends = await Promise.allSettled(parts.map((part) => add(part, calm)))
        expect(ends.map(({ status }) => status === 'rejected')).toEqual(batches.map(({ bad }) => bad))
        for (const [index, part] of parts.entries()) {
          const place = batches[index]!.bad ? -1 : done.indexOf(part[0]!)
          expect(place < 0 ? [] : done.splice(place, part.length)).toEqual(batches[index]!.bad ? [] : part)
        }
        expect(done).toEqual([])
      },
    ),
  )
})

test('a batch whose partition was taken away meanwhile is not begun', async () => {
  const { add, begun } = heldWork()
  for (const name of 'ab') void add([name], calm)
  const gone = new AbortController()
  const lost = add(['c'], gone.signal)
  const kept = add(['d'], calm)
  gone.abort(new Error('gone'))
  begun[0]!.end.resolve()
  await expect(lost).rejects.toThrow('gone')
  expect(begun[2]?.commands).toEqual(['d'])
  begun[2]!.end.resolve()
  await kept
})

import { expect, it } from 'vitest'
import { oneAtATime } from './one-at-a-time.ts'

it('who asks while one runs gets the next run, together', async () => {
  const runs: PromiseWithResolvers<number>[] = []
  const ask = oneAtATime(() => {
    runs.push(Promise.withResolvers())
    return runs.at(-1)!.promise
  })
  const first = ask('a')
  const second = ask('a')
  const third = ask('a')
  const other = ask('b')
  expect(runs.length).toBe(2)
  runs[0]!.resolve(1)
  runs[1]!.reject(new Error('b failed'))
  await expect(other).rejects.toThrow('b failed')
  expect(await first).toBe(1)
  await expect.poll(() => runs.length).toBe(3)
  runs[2]!.resolve(2)
  expect(await Promise.all([second, third])).toEqual([2, 2])
  void ask('b')
  expect(runs.length).toBe(4)
})

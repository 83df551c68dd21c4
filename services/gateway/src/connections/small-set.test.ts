import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SmallSet } from './small-set.ts'

test('is a set', () => {
  const members = Array.from({ length: 4 }, (_, n) => ({ n }))
  const step = fc.record({ add: fc.boolean(), which: fc.integer({ min: 0, max: 3 }) })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const [small, real] = [new SmallSet<object>(), new Set<object>()]
      for (const { add, which } of steps) {
        if (add) {
          small.add(members[which]!)
          real.add(members[which]!)
        } else {
          small.delete(members[which]!)
          real.delete(members[which]!)
        }
        expect([...small]).toEqual([...real])
        expect(small.size).toBe(real.size)
      }
    }),
  )
})

test('members may be deleted while they are gone through', () => {
  const set = new SmallSet<object>()
  for (let n = 0; n < 3; n += 1) set.add({ n })
  for (const member of set) set.delete(member)
  expect(set.size).toBe(0)
})

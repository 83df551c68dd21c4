import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyHead } from './events.ts'
import { unmarkedRanges } from './unmarked.ts'

const head = (seq: number, publishedSeq: number) => ({ ...emptyHead, seq, publishedSeq })

test('says more than the record only where it joins on to it', () => {
  const unmarked = unmarkedRanges()
  unmarked.add([
    { stream: 'a', from: 3, upTo: 5 },
    { stream: 'b', from: 3, upTo: 5 },
  ])
  const heads = unmarked.heads(
    new Map([
      ['a', head(5, 2)],
      ['b', head(5, 1)],
      ['c', head(5, 4)],
    ]),
  )
  expect([...heads].map(([stream, { publishedSeq }]) => [stream, publishedSeq])).toEqual([
    ['a', 5],
    ['b', 1],
    ['c', 4],
  ])
})

test('whatever is published and marked in whatever steps: never more than was published, and in the end all of it', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('again' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ kind: 'mark' as const }),
    fc.constant({ kind: 'batch' as const }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const unmarked = unmarkedRanges()
      let published = 0
      let record = 0
      const real = () => unmarked.heads(new Map([['s', head(published, record)]])).get('s')!.publishedSeq
      for (const it of steps) {
        if (it.kind === 'publish') {
          unmarked.add([{ stream: 's', from: published + 1, upTo: published + it.count }])
          published += it.count
        } else if (it.kind === 'again') {
          const from = Math.max(1, published - it.count + 1)
          if (published > 0) unmarked.add([{ stream: 's', from, upTo: published }])
        } else if (it.kind === 'batch') {
          record = real()
          unmarked.marked('s', record)
        } else {
          for (const { from, upTo } of unmarked.ranges) {
            if (record >= from - 1) record = Math.max(record, upTo)
            unmarked.marked('s', upTo)
          }
        }
        expect(real()).toBe(published)
      }
    }),
  )
})

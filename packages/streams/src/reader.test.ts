import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Linked, StreamReader } from './reader.ts'

/** The event `seq` of the history called `name`; events of two histories never link. */
const event = (seq: number, name = 'h'): Linked => ({
  seq,
  prevchain: seq === 1 ? '' : `${name}${seq - 1}`,
  chain: `${name}${seq}`,
})
const history = (length: number, name?: string): Linked[] =>
  Array.from({ length }, (_, i) => event(i + 1, name))
const seqs = (events: readonly Linked[]): number[] => events.map((e) => e.seq)
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

/** Hands the arrivals to a reader and gathers what it delivers. */
function read(reader: StreamReader<Linked>, arrivals: readonly Linked[]): Linked[] {
  const delivered: Linked[] = []
  for (const arrival of arrivals) {
    const verdict = reader.accept(arrival)
    if (verdict.kind === 'ready') delivered.push(...verdict.events)
  }
  return delivered
}

/** An owner that does as it is told: after all has come, fetches what the reader says is missing. */
function readAndFetch(
  reader: StreamReader<Linked>,
  arrivals: readonly Linked[],
  truth: readonly Linked[],
): Linked[] {
  const delivered = read(reader, arrivals)
  for (let round = 0; reader.hasGap && round < truth.length + 1; round += 1) {
    const gap = reader.gap!
    delivered.push(
      ...read(
        reader,
        truth.filter((e) => e.seq > gap.after && e.seq <= gap.upTo),
      ),
    )
  }
  return delivered
}

const arrivalsOf = (length: number) =>
  fc
    .array(fc.integer({ min: 1, max: length }), { maxLength: length * 3 })
    .map((extra) => [...extra, ...upTo(length)])
    .chain((all) => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))

describe('StreamReader', () => {
  test('any order and any duplication of arrivals: each event once, in order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }).chain((n) => fc.tuple(fc.constant(n), arrivalsOf(n))),
        ([n, order]) => {
          const reader = new StreamReader<Linked>({ seq: 0 })
          expect(
            seqs(
              read(
                reader,
                order.map((seq) => event(seq)),
              ),
            ),
          ).toEqual(upTo(n))
          expect(reader.position).toEqual({ seq: n, chain: `h${n}` })
          expect(reader.gap).toBeUndefined()
        },
      ),
    )
  })

  test('any loss is shown as a gap, and fetching what it names completes the stream', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 40 })
          .chain((n) =>
            fc.tuple(fc.constant(n), fc.array(fc.integer({ min: 1, max: n }), { maxLength: 2 * n })),
          ),
        ([n, order]) => {
          const reader = new StreamReader<Linked>({ seq: 0 })
          const seen = Math.max(0, ...order)
          const got = readAndFetch(
            reader,
            order.map((seq) => event(seq)),
            history(n),
          )
          expect(seqs(got)).toEqual(upTo(seen))
        },
      ),
    )
  })

  test('events of another history among the arrivals are never delivered beside those of this one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 2, max: 30 }), fc.boolean()), { maxLength: 90 }),
        (arrivals) => {
          const reader = new StreamReader<Linked>({ seq: 1, chain: 'h1' })
          const mixed = arrivals.map(([seq, other]) => event(seq, other ? 'x' : 'h'))
          const got = readAndFetch(reader, mixed, history(30))
          expect(got.every((e) => e.chain.startsWith('h'))).toBe(true)
          expect(seqs(got)).toEqual(upTo(got.length + 1).slice(1))
          expect(reader.hasGap).toBe(false)
          expect(reader.position.seq).toBe(Math.max(1, ...arrivals.map(([seq]) => seq)))
        },
      ),
    )
  })

  test('what comes before the position is dropped, and the position is kept', () => {
    const reader = new StreamReader<Linked>({ seq: 5, chain: 'h5' })
    expect(reader.accept(event(5))).toEqual({ kind: 'duplicate' })
    expect(reader.accept(event(2))).toEqual({ kind: 'duplicate' })
    expect(reader.position).toEqual({ seq: 5, chain: 'h5' })
  })

  test('a fork at the very next event is told, and nothing of it delivered', () => {
    const reader = new StreamReader<Linked>({ seq: 5, chain: 'h5' })
    expect(reader.accept(event(6, 'x'))).toEqual({ kind: 'fork', at: 6 })
    expect(reader.position).toEqual({ seq: 5, chain: 'h5' })
    expect(reader.gap).toEqual({ after: 5, upTo: 6 })
  })

  test('another event at the place of the last one is a fork, not a duplicate', () => {
    const reader = new StreamReader<Linked>({ seq: 5, chain: 'h5' })
    expect(reader.accept(event(5, 'x'))).toEqual({ kind: 'fork', at: 5 })
  })

  test('a fork behind a hole shows as a gap when the hole is filled', () => {
    const reader = new StreamReader<Linked>({ seq: 1, chain: 'h1' })
    reader.accept(event(4, 'x'))
    reader.accept(event(3))
    const verdict = reader.accept(event(2))
    expect(verdict.kind === 'ready' && seqs(verdict.events)).toEqual([2, 3])
    expect(reader.gap).toEqual({ after: 3, upTo: 4 })
  })

  test('without a known chain the first event is taken on its seq alone, the next by its link', () => {
    const reader = new StreamReader<Linked>({ seq: 3 })
    expect(reader.accept(event(4, 'x')).kind).toBe('ready')
    expect(reader.accept(event(5)).kind).toBe('fork')
  })

  test('an empty stream begins with the empty chain', () => {
    expect(new StreamReader<Linked>({ seq: 0 }).accept({ seq: 1, prevchain: 'h0', chain: 'h1' }).kind).toBe(
      'fork',
    )
  })

  test('more than there is room for beyond a hole is dropped, and still shows as a gap', () => {
    const reader = new StreamReader<Linked>({ seq: 0 })
    const truth = history(3_000)
    expect(seqs(readAndFetch(reader, truth.slice(1), truth))).toEqual(upTo(3_000))
  })

  test('after a reset nothing of before is left', () => {
    const reader = new StreamReader<Linked>({ seq: 0 })
    reader.accept(event(7))
    reader.reset({ seq: 2, chain: 'x2' })
    expect(reader.gap).toBeUndefined()
    expect(seqs(read(reader, [event(3, 'x')]))).toEqual([3])
  })
})

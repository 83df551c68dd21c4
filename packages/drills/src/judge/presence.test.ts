import type { PresenceState } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { judge, type Passage } from './presence.ts'

const UNTIL = 100_000
const came = (at: number, why = 'came'): Passage => ({ at, kind: 'came', why })
const went = (at: number, why = 'left'): Passage => ({ at, kind: 'went', why })
/** One observer, one person: what was said when. */
function verdictOf(passages: Passage[], ...said: [at: number, state: PresenceState, version?: number][]) {
  const told = said.map(([at, state, version], index) => ({
    user: 'ada',
    state,
    at,
    version: version ?? index,
  }))
  return judge(new Map([['ada', passages]]), [told], UNTIL)
}
const fine = { ghosts: [], falseOffline: [], unseen: [], outOfOrder: [] }

describe('what is fine', () => {
  test('gone and back, each told in time', () => {
    expect(
      verdictOf(
        [came(0), went(10_000), came(30_000, 'came back')],
        [200, 'online'],
        [14_000, 'offline'],
        [30_100, 'away'],
      ),
    ).toEqual({ ...fine, told: 3, gone: { left: [4_000] }, back: { came: [200], 'came back': [100] } })
  })

  test('back before anybody noticed', () => {
    expect(verdictOf([came(0), went(10_000), came(12_000)], [200, 'online'])).toEqual({
      ...fine,
      told: 1,
      gone: {},
      back: { came: [200] },
    })
  })

  test('said to be offline in the moment of coming back', () => {
    const verdict = verdictOf(
      [came(0), went(10_000), came(17_000)],
      [0, 'online'],
      [17_500, 'offline'],
      [18_000, 'online'],
    )
    expect(verdict).toMatchObject(fine)
  })
})

describe('what is not', () => {
  test('a ghost, noticed late or never', () => {
    expect(verdictOf([came(0), went(10_000)], [0, 'online'], [20_001, 'offline']).ghosts).toHaveLength(1)
    expect(verdictOf([came(0), went(10_000)], [0, 'online']).ghosts).toHaveLength(1)
    expect(verdictOf([came(0), went(10_000), came(25_000)], [0, 'online']).ghosts).toHaveLength(1)
  })

  test('a ghost that has risen: said to be here again after they had gone', () => {
    const late = [came(0), went(10_000), { ...came(40_000), since: 38_000 }]
    const said = (at: number) =>
      verdictOf(late, [0, 'online'], [18_000, 'offline'], [at, 'online'], [at + 1_000, 'offline'])
    expect(said(25_000).ghosts).toEqual([
      {
        at: 25_000,
        what: expect.stringMatching(
          /^ada left: said to be online by presence.signals\[\d+\]@2 15000 ms later$/,
        ),
      },
    ])
    // Whoever has begun to come back may be seen before they know that they are back.
    expect(said(38_500).ghosts).toEqual([])
  })

  test('offline while here', () => {
    expect(
      verdictOf([came(0)], [0, 'online'], [5_000, 'offline'], [6_000, 'online']).falseOffline,
    ).toHaveLength(1)
    const back = [came(0), went(10_000), came(17_000)]
    expect(verdictOf(back, [0, 'online'], [19_500, 'offline']).falseOffline).toHaveLength(1)
  })

  test('offline while they had gone for a moment only', () => {
    const back = [came(0), went(10_000), came(11_900)]
    const verdict = verdictOf(back, [0, 'online'], [11_800, 'offline'], [12_100, 'online'])
    expect(verdict.falseOffline).toHaveLength(1)
  })

  test('here, and nobody is told', () => {
    const back = [came(0), went(10_000), came(30_000)]
    expect(verdictOf(back, [0, 'online'], [14_000, 'offline']).unseen).toHaveLength(1)
  })

  test('in another order than that of versions', () => {
    expect(verdictOf([came(0)], [0, 'online', 5], [9, 'away', 5]).outOfOrder).toHaveLength(1)
  })
})

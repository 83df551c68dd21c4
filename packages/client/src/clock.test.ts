import { describe, expect, test } from 'vitest'
import { serverClock } from './clock.ts'

const iso = (ms: number) => new Date(ms).toISOString()

describe('the clock of the server', () => {
  function clock() {
    let now = 1_000_000
    const it = serverClock(() => now)
    return {
      it,
      /** A question asked now, answered after `roundTrip` by a server whose clock is `ahead`. */
      ask(roundTrip: number, ahead: number, part = 0.5) {
        const asked = now
        now += roundTrip
        it.heard(iso(asked + roundTrip * part + ahead), asked)
      },
      pass(ms: number) {
        now += ms
      },
      get askedEarlier() {
        return now + 1
      },
    }
  }

  test('nothing is known before the server told its time', () => {
    expect(clock().it.offsetMs).toBe(0)
  })

  test('the shortest round trip counts, whatever the order', () => {
    const c = clock()
    c.ask(400, 5_000, 1)
    expect(c.it.offsetMs).toBe(5_200)
    c.ask(20, 5_000)
    expect(c.it.offsetMs).toBe(5_000)
    c.ask(800, 5_000, 0)
    expect(c.it.offsetMs).toBe(5_000)
  })

  test('a clock that was set is believed at once, a drifting one after a while', () => {
    const c = clock()
    c.ask(20, 0)
    c.ask(400, 60_000)
    expect(c.it.offsetMs).toBe(60_000)
    c.ask(20, 60_000)
    c.pass(11 * 60_000)
    c.ask(200, 60_040)
    expect(c.it.offsetMs).toBe(60_040)
  })

  test('what is no time, or comes from before it was asked, is passed over', () => {
    const c = clock()
    c.it.heard('noon', 0)
    c.it.heard(iso(5), c.askedEarlier)
    expect(c.it.offsetMs).toBe(0)
  })
})

import { v7 } from 'uuid'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { klatsch } from './command-line.ts'
import { registered, roomOf } from './people.ts'
import { acked, enter, sendFrame } from './wire.ts'

// Faults are ordered on the command line, which finds the stack by its data folder.
describe.skipIf(inject('stack').dataDir === '')('a clock that jumps', () => {
  afterEach(async () => {
    await klatsch('faults', 'halt')
  })

  test('in chat, forth and back: time in a room does not go back', async () => {
    const ada = await registered()
    const room = await roomOf(ada)
    const wire = await enter(ada.token)
    const shift = async (ms: number) => {
      const { code, err } = await klatsch('faults', 'set', 'chat.clock', 'shift', `--ms=${ms}`, '--for', '5m')
      expect([code, err]).toEqual([0, ''])
    }
    const say = (text: string) => acked(wire, sendFrame(v7(), room, text))

    await say('now')
    await shift(-600_000)
    await say('ten minutes ago')
    await shift(1_200_000)
    await say('ten minutes ahead')
    await klatsch('faults', 'halt')
    await say('now again')

    const said = () => wire.events(room).filter(({ data }) => 'text' in (data as object))
    await expect.poll(() => said().length).toBe(4)
    const times = said().map(({ time }) => Date.parse(time))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[2]! - times[1]!).toBeGreaterThan(500_000)
    wire.close()
  })
})

import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

/** Turns that pass when the test says so. */
function turns() {
  const tasks: (() => void)[] = []
  const pace = new Pace({
    now: () => 0,
    after(_ms, task) {
      tasks.push(task)
      return () => {}
    },
  })
  async function turn(): Promise<void> {
    for (const task of tasks.splice(0)) task()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { pace, turn }
}

test('so much is pushed in a turn, the rest in the next ones, first come first served', async () => {
  const { pace, turn } = turns()
  const order: number[] = []
  let direct = 0
  for (let n = 0; n < 700; n += 1) {
    const room = pace.room()
    if (!room) {
      direct += 1
      pace.spend(100)
    } else {
      void room.then(() => {
        order.push(n)
        pace.spend(100)
      })
    }
  }
  expect([direct, pace.waiting]).toEqual([256, 444])
  await turn()
  expect([order.length, pace.waiting]).toEqual([256, 188])
  expect(pace.room()).toBeDefined()
  await turn()
  await turn()
  expect(order).toEqual(Array.from({ length: 444 }, (_, i) => i + 256))
  await turn()
  expect(pace.room()).toBeUndefined()
})

test('large pushes count for what they are', async () => {
  const { pace, turn } = turns()
  pace.spend(5 * 1024 * 1024)
  const room = pace.room()
  expect(room).toBeDefined()
  await turn()
  await room
  expect(pace.room()).toBeUndefined()
})

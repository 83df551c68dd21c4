import { describe, expect, test } from 'vitest'
import { pause } from './scheduler.ts'
import { simulatedScheduler } from './simulation.ts'

/** Three workers that take turns in an order that only the seed decides. */
async function run(seed: number): Promise<string> {
  const world = simulatedScheduler(seed)
  const seen: string[] = []
  for (const name of ['a', 'b', 'c']) {
    void (async () => {
      for (let i = 0; i < 5; i++) {
        await pause(world, Math.round(world.random() * 3))
        seen.push(name)
      }
    })()
  }
  await world.runUntilIdle()
  return seen.join('')
}

describe('the simulated scheduler', () => {
  test('gives the same run for the same seed, and others for others', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, (_, seed) => run(seed)))
    expect(await Promise.all(Array.from({ length: 20 }, (_, seed) => run(seed)))).toEqual(runs)
    expect(new Set(runs).size).toBeGreaterThan(15)
  })

  test('moves time only by what is scheduled', async () => {
    const world = simulatedScheduler(1, 1_000)
    let at = 0
    world.after(3_600_000, () => {
      at = world.now()
    })
    expect(await world.runUntil(() => at > 0)).toBe(true)
    expect(at).toBe(3_601_000)
    expect(world.pending).toBe(0)
  })

  test('a frozen process goes on late, a killed one never', async () => {
    const world = simulatedScheduler(1, 0)
    const frozen = world.process('frozen')
    const killed = world.process('killed')
    const seen: string[] = []
    frozen.after(10, () => seen.push(`frozen at ${world.now()}`))
    killed.after(10, () => seen.push('killed'))
    frozen.freeze()
    killed.kill()
    await world.runFor(1_000)
    expect(seen).toEqual([])
    frozen.thaw()
    await world.runUntilIdle()
    expect(seen).toEqual(['frozen at 1000'])
    killed.after(1, () => seen.push('killed'))
    expect(await world.step()).toBe(false)
  })

  test('what was cancelled does not run', async () => {
    const world = simulatedScheduler(1)
    let ran = false
    world.after(5, () => {
      ran = true
    })()
    await world.runUntilIdle()
    expect(ran).toBe(false)
  })

  test('says when something keeps scheduling itself', async () => {
    const world = simulatedScheduler(7)
    const again = () => void world.after(1, again)
    again()
    await expect(world.runUntilIdle(100)).rejects.toThrow('not idle after 100 steps (seed 7)')
  })
})

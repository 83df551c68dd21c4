import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { KlatschError } from '@klatsch/contracts'
import { circuitBreaker } from '@klatsch/service-kit'
import { expect, test } from 'vitest'
import { postgresPool } from './postgres.ts'

/** A door in front of Postgres that can be shut, and counts who knocks. */
async function doorTo(target: URL) {
  const door = { shut: true, knocks: 0 }
  const server = createServer((near) => {
    door.knocks++
    near.on('error', () => {})
    if (door.shut) {
      near.destroy()
      return
    }
    const far = connect(Number(target.port || 5432), target.hostname)
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.on('close', () => far.destroy())
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(address !== null && typeof address === 'object' ? address.port : 0)
  return Object.assign(door, { url: url.href, close: () => server.close() })
}

test('while Postgres is away few knock, those who ask hear at once when to come back, and it goes on by itself', async () => {
  const door = await doorTo(new URL(process.env.DATABASE_URL ?? ''))
  const breaker = circuitBreaker('the database', { now: Date.now, random: Math.random })
  const pools = [1, 2].map((max) =>
    postgresPool({ url: door.url, ssl: false, hot: true, max: 3 * max, onIdleError: () => {}, breaker }),
  )
  const refused: number[] = []
  const ask = (i: number) =>
    pools[i % 2]!.query('SELECT 1').catch((error: unknown) => {
      if (!(error instanceof KlatschError)) return
      expect(error.code).toBe('server.unavailable')
      refused.push(error.retryAfterMs!)
    })
  for (let i = 0; refused.length < 5_000; i++) await ask(i)
  expect(Math.max(...refused)).toBeLessThanOrEqual(6_000)
  const knocks = door.knocks
  expect(knocks).toBeLessThan(50)
  door.shut = false
  let answers = 0
  while (answers < 100) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        if ((await ask(i))?.rowCount === 1) answers++
      }),
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(breaker.state.kind).toBe('closed')
  // One to see, and then as many connections as the pools may have.
  expect(door.knocks - knocks).toBeLessThanOrEqual(1 + 3 + 6)
  await Promise.all(pools.map((pool) => pool.end()))
  door.close()
})

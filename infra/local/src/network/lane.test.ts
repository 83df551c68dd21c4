import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { NetworkFault } from './fault.ts'
import { lane } from './lane.ts'

/** A lane on which this fault stands. `said`: written to it so far. */
function laneWith(fault: NetworkFault | undefined) {
  const from = new PassThrough({ highWaterMark: 1 })
  const to = new PassThrough({ highWaterMark: 1_024 * 1_024 })
  const [a, b] = [from, to] as unknown as [Socket, Socket]
  lane({ from: a, to: b, fault: () => fault, random: () => 0.5, onLost() {}, mayPass: () => true })
  return { from, to }
}

const slow = (bytesPerSecond: number): NetworkFault => ({
  kind: 'slow',
  ...{ latencyMs: 0, jitterMs: 0, bytesPerSecond },
})

test('who is slow holds up who speaks, after what is passed on in a second', async () => {
  const { from, to } = laneWith(slow(1_000))
  let taken = 0
  from.on('data', (bytes: Buffer) => {
    taken += bytes.length
  })
  for (let n = 0; n < 100; n++) from.write(Buffer.alloc(100, n))
  await expect.poll(() => from.isPaused()).toBe(true)
  expect(taken).toBeGreaterThan(1_000)
  expect(taken).toBeLessThanOrEqual(1_200)
  to.destroy()
})

test('who is not slow holds up nobody', async () => {
  const { from, to } = laneWith(undefined)
  for (let n = 0; n < 100; n++) from.write(Buffer.alloc(100, n))
  from.end()
  const chunks = await to.toArray()
  expect(Buffer.concat(chunks)).toHaveLength(10_000)
})

test('what is slow arrives whole and in order', async () => {
  const { from, to } = laneWith(slow(40_000))
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, n) => n % 251))
  for (let n = 0; n < 100; n++) from.write(sent.subarray(n * 100, (n + 1) * 100))
  from.end()
  expect(Buffer.concat(await to.toArray())).toEqual(sent)
})

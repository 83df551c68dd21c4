import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { reset } from './reset.ts'

const server = createServer({ allowHalfOpen: true })
let near: Socket
let far: Socket

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  far = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = await once(server, 'connection')
  near = accepted
  far.resume()
})
afterEach(() => {
  far.destroy()
  // Waits for what was accepted: one that is not closed would keep it.
  return new Promise((resolve) => server.close(resolve))
})

test('the other side learns of it', async () => {
  const error = once(far, 'error')
  reset(near)
  expect(await error).toMatchObject([{ code: 'ECONNRESET' }])
})

test('in the moment in which its end is said, it is closed all the same', async () => {
  near.on('error', () => {})
  const closed = Promise.all([once(near, 'close'), once(far, 'end')])
  near.end()
  reset(near)
  await closed
})

test('while it still has much to say, too', async () => {
  near.on('error', () => {})
  far.pause()
  far.on('error', () => {})
  const closed = once(near, 'close')
  near.end(Buffer.alloc(20_000_000))
  reset(near)
  await closed
})

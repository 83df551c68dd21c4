import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { gather, type HerdOfVisitors } from './herd.ts'

const FRAMES = 3
const COUNT = 8
let herd: HerdOfVisitors | undefined
let server: WebSocketServer | undefined

async function serve(port = 0): Promise<number> {
  server = new WebSocketServer({ port, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    for (let sent = 0; sent < FRAMES; sent += 1) socket.send('x'.repeat(300))
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function stopServing(): Promise<void> {
  for (const client of server?.clients ?? []) client.terminate()
  server?.close()
  if (server) await once(server, 'close')
  server = undefined
}

afterEach(async () => {
  herd?.close()
  await stopServing()
})

test('a herd joins, comes back by itself to a server that died, and at once after a cut', async () => {
  const port = await serve()
  const paths = Array.from({ length: COUNT }, () => '/')
  herd = gather(port, { kind: 'bare', paths, frames: FRAMES }, { frames: 0, bytes: 0 })
  expect((await herd.join(2)).ms).toHaveLength(COUNT)

  herd.brace({})
  await stopServing()
  await serve(port)
  const back = await herd.whole()
  expect(back.dials).toBeGreaterThanOrEqual(COUNT)
  expect(back.ms.every((ms) => ms > 0)).toBe(true)

  herd.cut(COUNT)
  herd.brace({})
  herd.back(COUNT)
  expect((await herd.whole()).dials).toBe(COUNT)
})

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { bodyOfTextFrame, textFrame } from './text-frame.ts'

test('frames of every length are what a WebSocket client reads back', async () => {
  const payloads = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000].map((length) =>
    Buffer.alloc(length, 'kaffee'),
  )
  for (const payload of payloads) expect(bodyOfTextFrame(textFrame(payload)).equals(payload)).toBe(true)

  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, () => socket.write(Buffer.concat(payloads.map(textFrame)))),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const read: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject)
    client.on('message', (data: Buffer) => {
      if (read.push(data) === payloads.length) resolve()
    })
  })
  client.terminate()
  server.close()
  expect(read.map(String)).toEqual(payloads.map(String))
})

import type { AddressInfo } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { RawSocket } from './raw-socket.ts'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
afterEach(() => {
  for (const client of server.clients) client.terminate()
})

async function connected(readUpTo: number) {
  const received = { frames: 0, bytes: 0 }
  const socket = new RawSocket({ port: (server.address() as AddressInfo).port, path: '/', received })
  const peer = new Promise<import('ws').WebSocket>((resolve) => server.once('connection', resolve))
  const texts: string[] = []
  socket.readUpTo = readUpTo
  socket.onText = (text) => texts.push(text)
  await socket.opened
  return { socket, received, texts, peer: await peer }
}

it('counts every frame, whatever its length and wherever it is cut', async () => {
  const { received, peer } = await connected(0)
  const lengths = Array.from(
    { length: 3_000 },
    (_, index) => [1, 2, 125, 126, 700, 65_535, 70_000][index % 7]!,
  )
  for (const length of lengths) peer.send('x'.repeat(length))
  await vi.waitFor(() => expect(received.frames).toBe(lengths.length))
})

it('reads the frames that it is asked to read', async () => {
  const { received, texts, peer } = await connected(10)
  for (let index = 0; index < 500; index += 1) {
    peer.send(`ä${index}`)
    peer.send('long enough to be skipped')
  }
  await vi.waitFor(() => expect(received.frames).toBe(1_000))
  expect(texts).toEqual(Array.from({ length: 500 }, (_, index) => `ä${index}`))
})

it('speaks: frames with a mask, and an answer to pings', async () => {
  const { socket, peer } = await connected(0)
  const heard: string[] = []
  peer.on('message', (data) => heard.push(data.toString()))
  peer.on('pong', () => heard.push('pong'))
  const said = ['hello', 'y'.repeat(300), 'z'.repeat(70_000)]
  for (const text of said) socket.send(text)
  peer.ping()
  await vi.waitFor(() => expect(heard.toSorted()).toEqual(['hello', 'pong', ...said.slice(1)]))
})

it('reads nothing while it is paused, and everything after', async () => {
  const { socket, received, peer } = await connected(0)
  socket.pause()
  // More than the kernel takes for a socket that nobody reads.
  for (let index = 0; index < 700; index += 1) peer.send('x'.repeat(60_000))
  await vi.waitFor(() => expect(peer.bufferedAmount).toBeGreaterThan(1_000_000))
  await new Promise((resolve) => setImmediate(resolve))
  expect(received.frames).toBe(0)
  expect(peer.bufferedAmount).toBeGreaterThan(1_000_000)
  socket.resume()
  await vi.waitFor(() => expect(received.frames).toBe(700))
})

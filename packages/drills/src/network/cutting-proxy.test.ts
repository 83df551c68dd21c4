import { connect, createServer, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { seededRandom } from '../random.ts'
import { startCuttingProxy } from './cutting-proxy.ts'

test('connections are spoilt by chance until it is calmed, and then all is well', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const target = { host: '127.0.0.1', port }
  const proxy = await startCuttingProxy({ target, random: seededRandom(3), everyMs: 2 })
  const lines = new Set<Socket>()
  const dial = () => {
    const line = connect(proxy.port, '127.0.0.1').on('error', () => {})
    lines.add(line)
    return line
  }
  const met = () => Object.values(proxy.counts).reduce((sum, count) => sum + count, 0)
  for (let i = 0; i < 20; i += 1) dial()
  await vi.waitFor(() => expect(met()).toBeGreaterThan(5))

  proxy.calm()
  const before = met()
  const line = dial()
  line.write('well')
  await new Promise((resolve) => line.once('data', resolve))
  expect(met()).toBe(before)
  for (const each of lines) each.destroy()
  await proxy.close()
  await new Promise((resolve) => server.close(resolve))
})

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { chatPool } from './chat-pool.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** A chat that cuts off so many requests before it answers one. Counts all that came. */
async function chatThatCuts(
  times: number,
  port = 0,
): Promise<{ port: number; server: Server; came: string[] }> {
  const came: string[] = []
  const server = createServer((request, response) => {
    came.push(request.method ?? '')
    request.resume().on('end', () => (came.length > times ? response.end('here') : request.socket.destroy()))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  open.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, server, came }
}

function poolTo(port: number, asks: readonly ('GET' | 'POST')[]) {
  const pool = chatPool(`http://127.0.0.1:${port}`, { connections: 2, timeoutMs: 5_000, asks })
  open.unshift(() => pool.destroy())
  return async (method: 'GET' | 'POST') => {
    const body = method === 'POST' ? { body: '{"a":1}' } : {}
    const answer = await pool.request({ origin: `http://127.0.0.1:${port}`, path: '/', method, ...body })
    return answer.body.text()
  }
}

describe('the way to chat', () => {
  test.each(['GET', 'POST'] as const)('a %s that nobody took is made again', async (method) => {
    const { port, server, came } = await chatThatCuts(0)
    await new Promise((resolve) => server.close(resolve))
    const asking = poolTo(port, ['GET'])(method)
    const { came: later } = await chatThatCuts(0, port)
    expect(await asking).toBe('here')
    expect({ came, later }).toEqual({ came: [], later: [method] })
  })

  test('a question that was cut off is asked again', async () => {
    const { port, came } = await chatThatCuts(2)
    expect(await poolTo(port, ['POST'])('POST')).toBe('here')
    expect(came).toHaveLength(3)
  })

  test('what may have been done already is not done again', async () => {
    const { port, came } = await chatThatCuts(2)
    await expect(poolTo(port, ['GET'])('POST')).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    expect(came).toEqual(['POST'])
  })

  test('it gives up after a while', async () => {
    const { port, came } = await chatThatCuts(99)
    await expect(poolTo(port, ['GET'])('GET')).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    expect(came).toHaveLength(4)
  })
})

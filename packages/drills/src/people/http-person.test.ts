import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { createHttpPerson } from './http-person.ts'

const closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function personAt(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const troubles: string[] = []
  const person = createHttpPerson({
    ...{ name: 'program', actor: 'user:ada', token: async () => 'token' },
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trouble: (what) => troubles.push(what),
  })
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }, person.close)
  const settled = () => vi.waitFor(() => expect(person.waiting).toBe(0), { timeout: 10_000 })
  return { person, troubles, settled }
}

test('[H1] what failed is sent again under its key; [H2] what was taken is not, and has its outcome where the 202 said', async () => {
  const posts: (string | undefined)[] = []
  let looks = 0
  const { person, troubles, settled } = await personAt((request, response) => {
    const json = (status: number, body: object, headers = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    if (request.method === 'POST') {
      const key = String(request.headers['idempotency-key'])
      posts.push(key)
      if (posts.length === 1) json(503, { code: 'server.unavailable' })
      else json(202, { state: 'unknown' }, { location: `/api/commands/${key}` })
      return
    }
    expect(request.url).toBe(`/api/commands/${posts[0]}`)
    looks += 1
    json(200, looks === 1 ? { state: 'unknown' } : { state: 'accepted', seq: 7 })
  })
  person.say('room:00000000-0000-7000-8000-000000000000', 'hello')
  await vi.waitFor(() => expect(person.sends[0]?.outcome).toEqual({ kind: 'taken' }), { timeout: 10_000 })
  expect(person.waiting).toBe(1)
  await settled()
  expect(person.sends[0]?.outcome).toEqual({ kind: 'acked', seq: 7 })
  expect(posts).toEqual([posts[0], posts[0]])
  expect(troubles).toEqual([expect.stringContaining('503'), expect.stringContaining('202')])
})

test('what is refused is refused', async () => {
  const { person, settled } = await personAt((_request, response) =>
    response.writeHead(404).end(JSON.stringify({ code: 'room.not_found' })),
  )
  person.say('room:00000000-0000-7000-8000-000000000000', 'hello')
  await settled()
  expect(person.sends[0]?.outcome).toEqual({ kind: 'rejected', code: 'room.not_found' })
})

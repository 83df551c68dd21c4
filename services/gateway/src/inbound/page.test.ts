import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pageOrProblem, pageRoutes } from './page.ts'

const script = 'const tea = "tea";\n'.repeat(200)
let folder: string
let app: FastifyInstance

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'klatsch-page-'))
  mkdirSync(join(folder, 'assets'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Klatsch</title>')
  writeFileSync(join(folder, 'assets', 'index-abc.js'), script)
  writeFileSync(join(folder, 'assets', 'index-abc.js.br'), brotliCompressSync(script))
  writeFileSync(join(folder, 'assets', 'index-abc.js.gz'), gzipSync(script))
  app = fastify()
  app.setNotFoundHandler(pageOrProblem)
  await pageRoutes(app, folder)
})
afterAll(async () => {
  await app.close()
  rmSync(folder, { recursive: true, force: true })
})

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers })

test('a file is sent as small as the browser can read it, and kept for ever by its hash', async () => {
  const url = '/assets/index-abc.js'
  const [brotli, gzip, plain] = [
    await get(url, { 'accept-encoding': 'gzip, deflate, br' }),
    await get(url, { 'accept-encoding': 'gzip' }),
    await get(url),
  ]
  expect(brotli.headers['content-encoding']).toBe('br')
  expect(brotliDecompressSync(brotli.rawPayload).toString()).toBe(script)
  expect(gzip.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(gzip.rawPayload).toString()).toBe(script)
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(plain.payload).toBe(script)
  for (const { headers } of [brotli, gzip, plain]) {
    expect(headers).toMatchObject({
      'content-type': expect.stringContaining('javascript'),
      'cache-control': 'public, max-age=31536000, immutable',
      vary: expect.stringMatching(/accept-encoding/i),
      'x-content-type-options': 'nosniff',
    })
  }
})

test.each(['/', '/rooms/tea'])(
  'the page at %s is asked for each time, and may load files of its host alone',
  async (url) => {
    const { headers, statusCode } = await get(url, { accept: 'text/html', host: 'chat.example:8080' })
    expect(statusCode).toBe(200)
    expect(headers['cache-control']).toBe('no-cache')
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("connect-src 'self' ws://chat.example:8080 wss://chat.example:8080;")
    expect(policy).not.toMatch(/unsafe|data:|\*/)
  },
)

test('a host that is none gets into no header, and files beside the page are not there', async () => {
  const odd = await get('/', { accept: 'text/html', host: "x; script-src 'unsafe-inline'" })
  expect(odd.headers['content-security-policy']).not.toContain('unsafe')
  expect((await get('/assets/%2e%2e/%2e%2e/etc/passwd')).statusCode).toBeGreaterThanOrEqual(400)
  expect((await get('/assets/missing.js')).statusCode).toBe(404)
})

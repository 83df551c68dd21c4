import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KlatschError } from '@klatsch/contracts'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type AuthenticatedUser, keysOf, knowing, tokenVerifier } from './tokens.ts'

const time = { now: 1_000_000_000_000 }
const now = () => time.now
const server = createServer()
let chatUrl = ''
let keys: Awaited<ReturnType<typeof generateKeyPair>>

beforeAll(async () => {
  keys = await generateKeyPair('EdDSA')
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'EdDSA' }] })
  server.on('request', (_request, response) => response.end(jwks))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  chatUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const sign = (forS: number) =>
  new SignJWT({ sid: randomUUID(), username: 'ada', name: 'Ada' })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'one' })
    .setSubject('u1')
    .setIssuer('klatsch')
    .setAudience('klatsch')
    .setExpirationTime(Math.floor(time.now / 1_000) + forS)
    .sign(keys.privateKey)

test('a token that is known ends in its time all the same', async () => {
  const verify = tokenVerifier(keysOf(chatUrl), now)
  const token = await sign(60)
  const user = await verify(token)
  expect(user).toMatchObject({ id: 'u1', username: 'ada', displayName: 'Ada', guest: false, admin: false })
  time.now = user.expiresAt - 1
  expect(await verify(token)).toEqual(user)
  time.now = user.expiresAt
  for (let again = 0; again < 2; again += 1) {
    await expect(verify(token)).rejects.toMatchObject({ code: 'auth.expired' })
  }
})

test('what is like a token that is known, and is not that token, is refused', async () => {
  const verify = tokenVerifier(keysOf(chatUrl), now)
  const token = await sign(60)
  const [head, claims, signature] = token.split('.') as [string, string, string]
  await verify(token)
  const admin = JSON.parse(Buffer.from(claims, 'base64url').toString())
  const other = Buffer.from(JSON.stringify({ ...admin, admin: true })).toString('base64url')
  for (const forged of [
    `${head}.${other}.${signature}`,
    `${head}.${claims}.${'A'.repeat(86)}`,
    `${head}.${claims}.`,
  ]) {
    await expect(verify(forged)).rejects.toMatchObject({ code: 'auth.invalid_token' })
  }
})

test('a good token is checked once, one that was refused each time; of many, the longest unused is forgotten', async () => {
  const good: AuthenticatedUser = {
    id: 'u1',
    session: 's1',
    username: 'ada',
    displayName: 'Ada',
    guest: false,
    admin: false,
    expiresAt: time.now + 1_000,
  }
  const check = vi.fn(async (token: string) => {
    if (token === 'bad') throw new KlatschError('auth.invalid_token')
    return good
  })
  const verify = knowing(check, now, 2)
  const times = async (...tokens: string[]) => {
    check.mockClear()
    for (const token of tokens) await verify(token).catch(() => {})
    return check.mock.calls.map(([token]) => token)
  }
  expect(await times('a', 'a', 'bad', 'bad', 'a')).toEqual(['a', 'bad', 'bad'])
  expect(await times('b', 'a', 'c', 'a', 'b')).toEqual(['b', 'c', 'b'])
})

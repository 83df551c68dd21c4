import { closeCodes, userSubject } from '@klatsch/contracts'
import { afterEach, describe, expect, test } from 'vitest'
import { call, guest, registered, roomOf, type TestPerson } from './people.ts'
import { closeWires, dial, enter } from './wire.ts'

afterEach(closeWires)

/** The same person, signed in another time: a session of its own. */
async function elsewhere(username: string, password: string): Promise<string> {
  const { body } = await call('POST', '/api/auth/login', { body: { username, password } })
  return body.accessToken
}
const PASSWORD = 'correct horse battery'

/** That these tokens are worth nothing: no hello, no write, no read. */
async function expectWorthless(token: string, room: string): Promise<void> {
  const wire = await dial()
  wire.send({ type: 'hello', token })
  expect((await wire.closed).code).toBe(closeCodes.token)
  expect(wire.received).toMatchObject([{ type: 'error', code: 'auth.session_ended' }])
  const id = room.slice('room:'.length)
  const write = await call('POST', `/api/rooms/${id}/messages`, { token, body: { text: 'still here?' } })
  expect([write.status, write.body.code]).toEqual([401, 'auth.session_ended'])
  const read = await call('GET', `/api/rooms/${id}/messages`, { token })
  expect([read.status, read.body.code]).toEqual([401, 'auth.session_ended'])
}

const cut = { code: closeCodes.token, reason: 'auth.session_ended' }

describe('[H4] a session that ends', () => {
  test('two tabs, log out in one: both are cut at once, and the other device is told', async () => {
    const ada = await registered()
    const room = await roomOf(ada)
    const other = await elsewhere(ada.user.username, PASSWORD)
    const tabs = [await enter(ada.token), await enter(ada.token)]
    const device = await enter(other)
    const out = await call('POST', '/api/auth/logout', { body: { refreshToken: ada.refreshToken } })
    expect(out.status).toBe(204)
    expect(await Promise.all(tabs.map(({ closed }) => closed))).toEqual([cut, cut])
    const told = await device.first(({ type }) => type === 'chat.session.ended.v1')
    expect(told).toMatchObject({ subject: userSubject(ada.user.id), actor: 'system:chat' })
    await device.roundTrip()
    await expectWorthless(ada.token, room)
    const write = await call('GET', '/api/auth/me', { token: other })
    expect(write.status).toBe(200)
  })

  test('a refresh token used twice, by its owner and by a thief: all is cut, whoever holds it', async () => {
    const ada = await registered()
    const room = await roomOf(ada)
    const refresh = (refreshToken: string) => call('POST', '/api/auth/refresh', { body: { refreshToken } })
    const thief: TestPerson['token'] = (await refresh(ada.refreshToken)).body.accessToken
    const sockets = [await enter(ada.token), await enter(thief)]
    expect((await refresh(ada.refreshToken)).body.code).toBe('auth.refresh_reused')
    expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual([cut, cut])
    await expectWorthless(ada.token, room)
    await expectWorthless(thief, room)
  })

  test('is cut by the token alone, too, and a token renewed in band is the one that counts', async () => {
    const gus = await guest()
    const socket = await enter(gus.token)
    const next = (await call('POST', '/api/auth/refresh', { body: { refreshToken: gus.refreshToken } })).body
    socket.send({ type: 'auth', token: next.accessToken })
    await socket.type('authed')
    expect((await call('POST', '/api/auth/logout', { token: next.accessToken })).status).toBe(204)
    expect(await socket.closed).toEqual(cut)
  })

  test('does not take along another person or another session', async () => {
    const [ada, ben] = [await registered(), await registered()]
    const own = await enter(await elsewhere(ada.user.username, PASSWORD))
    const others = await enter(ben.token)
    const tab = await enter(ada.token)
    await call('POST', '/api/auth/logout', { token: ada.token })
    await tab.closed
    await Promise.all([own.roundTrip(), others.roundTrip()])
  })
})

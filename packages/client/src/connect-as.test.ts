import { KlatschError, type Session } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { FakeSocket, USER } from '../test/fake-server.ts'
import { connectAs } from './connect-as.ts'

const session: Session = {
  user: { id: USER, username: 'ada', displayName: 'Ada', guest: true, admin: false },
  accessToken: 'token',
  refreshToken: 'refresh',
  expiresIn: 600,
}

describe('connectAs', () => {
  test('enters, connects, and resolves when welcomed', async () => {
    const sockets: FakeSocket[] = []
    const openSocket = (url: string, protocol: string) => {
      const socket = new FakeSocket(url, protocol)
      sockets.push(socket)
      queueMicrotask(() => {
        socket.open()
        socket.welcome()
      })
      return socket
    }
    const { me, client } = await connectAs('https://chat.example', async () => session, { openSocket })
    expect(sockets[0]!.url).toBe('wss://chat.example/ws')
    expect([me.username, client.state.kind]).toEqual(['ada', 'connected'])
    await client.close()
  })

  test('who is not let in is told why', async () => {
    const enter = () => Promise.reject(new KlatschError('account.name_taken'))
    await expect(connectAs('http://chat.example', enter)).rejects.toMatchObject({
      code: 'account.name_taken',
    })
  })

  test('a client that stops before it was welcomed never connected', async () => {
    const token = () => Promise.reject(new KlatschError('auth.required'))
    await expect(connectAs('http://chat.example', async () => session, { token })).rejects.toThrow(
      'never connected',
    )
  })
})

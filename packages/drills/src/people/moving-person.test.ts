import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { createMovingPerson, frameReader } from './moving-person.ts'

test('[W11] one who is asked to go by the very socket they moved to goes again', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise<void>((resolve) => server.once('listening', resolve))
  const room = 'room:tea'
  const goaway = { type: 'goaway', withinMs: 40 }
  let arrivals = 0
  server.on('connection', (socket) => {
    const tell = (frame: object) => socket.send(JSON.stringify(frame))
    const arrival = ++arrivals
    socket.once('message', () => {
      tell({ type: 'welcome' })
      // The second one reached a gateway that was about to end.
      if (arrival === 2) tell(goaway)
      tell({ type: 'live', subject: room, head: 0 })
      if (arrival === 1) tell(goaway)
    })
  })
  const troubles: string[] = []
  const person = createMovingPerson({
    ...{ name: 'ada', actor: 'user:ada', room, random: Math.random, read: frameReader() },
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: async () => 'token',
    trouble: (what) => troubles.push(what),
  })
  try {
    await expect.poll(() => person.moves).toBe(2)
    expect({ arrivals, troubles }).toEqual({ arrivals: 3, troubles: [] })
  } finally {
    await person.close()
    await new Promise((resolve) => server.close(resolve))
  }
})

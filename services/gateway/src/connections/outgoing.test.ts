import { expect, test } from 'vitest'
import { Backlog, Outgoing } from './outgoing.ts'

/** A socket whose reader takes nothing until told to. */
function slowSocket(backlog: Backlog) {
  const socket = { buffered: 0, writes: 0, paused: false }
  const outgoing = new Outgoing(
    {
      get buffered() {
        return socket.buffered
      },
      write(frames) {
        socket.writes += 1
        socket.buffered += frames.reduce((sum, frame) => sum + frame.length, 0)
      },
      close() {},
      ping() {},
      pauseReading: () => {
        socket.paused = true
      },
      resumeReading: () => {
        socket.paused = false
      },
    },
    backlog,
  )
  const send = (kb: number) => {
    outgoing.push(Buffer.alloc(kb * 1024))
    outgoing.write()
  }
  const read = () => {
    socket.buffered = 0
    outgoing.drained()
  }
  return { socket, outgoing, send, read }
}

test('[S1] [W6] passing events are left out long before events are', () => {
  const { outgoing, send, read, socket } = slowSocket(new Backlog())
  send(100)
  expect(outgoing).toMatchObject({ crowded: false, congested: false })
  send(100)
  expect(outgoing).toMatchObject({ crowded: true, congested: false })
  send(900)
  expect(outgoing).toMatchObject({ crowded: true, congested: true, paused: true })
  expect(socket.paused).toBe(true)
  read()
  expect(outgoing).toMatchObject({ crowded: false, congested: false, paused: false })
  expect(socket.paused).toBe(false)
})

test('[W6] when too much waits for all together, each may have only what is on its way', () => {
  const backlog = new Backlog(1_000 * 1024)
  const [a, b, c] = [slowSocket(backlog), slowSocket(backlog), slowSocket(backlog)]
  a.send(600)
  b.send(300)
  c.send(50)
  expect(backlog.bytes).toBe(900 * 1024)
  expect([a, b, c].map(({ outgoing }) => outgoing.congested)).toEqual([false, false, false])
  b.send(150)
  expect(backlog.full).toBe(true)
  expect([a, b, c].map(({ outgoing }) => outgoing.congested)).toEqual([true, true, false])
  a.read()
  expect(backlog.bytes).toBe(450 * 1024)
  expect(b.outgoing.congested).toBe(false)
  b.outgoing.drop()
  expect(backlog.bytes).toBe(0)
})

test('a turn is one write', () => {
  const { outgoing, socket } = slowSocket(new Backlog())
  expect(outgoing.push(Buffer.alloc(1))).toBe(true)
  expect(outgoing.push(Buffer.alloc(1))).toBe(false)
  outgoing.write()
  outgoing.write()
  expect(socket.writes).toBe(1)
})

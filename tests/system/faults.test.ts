import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabFault, LabFaults } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { type AskLab, laboratory } from './administrator.ts'
import { call, registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame, type Wire } from './wire.ts'

const ROOMS = 50
const ROUNDS = 12

const runFile = () => JSON.parse(readFileSync(join(inject('stack').dataDir, 'run.json'), 'utf8'))

// Breaks the stack, which only the one of these tests allows.
describe.skipIf(inject('stack').dataDir === '')('faults on demand', () => {
  let ada: TestPerson
  let ask: AskLab
  beforeAll(async () => {
    ada = await registered()
    ask = await laboratory()
    // Instances say every few seconds that they are here.
    for (const end = Date.now() + 20_000; Date.now() < end; ) {
      const here = new Set((await ask('/faults')).body.instances.map((i: { service: string }) => i.service))
      if (['chat', 'gateway', 'presence'].every((service) => here.has(service))) return
    }
    throw new Error('not every service said that it is here')
  })
  afterEach(async () => {
    await ask('/faults/halt', { method: 'POST', body: {} })
  })

  async function set(order: object): Promise<LabFault> {
    const { status, body } = await ask('/faults', { method: 'POST', body: { forMs: 60_000, ...order } })
    expect(status, JSON.stringify(body)).toBe(201)
    expect(body.of).toBeGreaterThan(0)
    expect(body.active).toHaveLength(body.of)
    return body
  }
  const listed = async (id: string): Promise<LabFault> => {
    const { rules } = (await ask('/faults')).body as LabFaults
    return rules.find(({ rule }) => rule.id === id)!
  }

  test('are for administrators, end by themselves, and are only what their point can do', async () => {
    const order = { point: 'gateway.command', effect: { kind: 'drop' }, forMs: 1_000 }
    const refused = await call('POST', '/api/lab/faults', { token: ada.token, body: order })
    expect(refused.body).toMatchObject({ status: 403, code: 'auth.forbidden' })
    const wrong: Record<string, object> = {
      forMs: { point: order.point, effect: order.effect },
      'there is no fault point': { ...order, point: 'gateway.nowhere' },
      'and no drop': { ...order, point: 'chat.persist' },
      'and no people': { ...order, point: 'presence.lease', who: { people: [ada.actor] } },
      'Too big': { ...order, forMs: 3_600_001 },
    }
    for (const [why, body] of Object.entries(wrong)) {
      const answer = await ask('/faults', { method: 'POST', body })
      expect(answer.body).toMatchObject({ status: 400, code: 'request.invalid' })
      expect(answer.body.detail).toContain(why)
    }
    const { rule } = await set({ ...order, who: { rooms: ['room:nowhere'] }, forMs: 300 })
    await expect.poll(async () => (await listed(rule.id)).state).toBe('over')
    const { items } = (await ask('/audit')).body
    expect(items.find((each: { action: string }) => each.action === 'fault.set')).toMatchObject({
      actor: rule.setBy,
      detail: { id: rule.id, point: 'gateway.command' },
    })
  })

  describe('for one room of fifty, at 100 %', () => {
    let rooms: { room: string; wire: Wire }[]
    beforeAll(async () => {
      // More than fifty sockets are not for one person.
      const people = [ada, await registered()]
      rooms = await Promise.all(
        Array.from({ length: ROOMS }, async (_, n) => {
          const owner = people[n % people.length]!
          const room = await roomOf(owner)
          return { room, wire: await enter(owner.token, { follow: [room] }) }
        }),
      )
      return () => {
        for (const { wire } of rooms) wire.close()
      }
    }, 60_000)

    /** Everyone but the first writes, a message after the other. Answers how long each took, in milliseconds, sorted. */
    async function neighboursWrite(): Promise<number[]> {
      const took = await Promise.all(
        rooms.slice(1).map(async ({ room, wire }) => {
          const times: number[] = []
          for (let n = 0; n < ROUNDS; n++) {
            const began = performance.now()
            await acked(wire, sendFrame(v7(), room, `all is well ${n}`))
            times.push(performance.now() - began)
          }
          return times
        }),
      )
      return took.flat().sort((a, b) => a - b)
    }
    const p99 = (times: readonly number[]) => times[Math.floor(times.length * 0.99)]!.toFixed(0)

    /** What the room shows, while its neighbours write and show nothing. */
    async function during<T>(fault: object, inTheRoom: (room: string, wire: Wire) => Promise<T>): Promise<T> {
      const [{ room, wire }] = rooms as [(typeof rooms)[0]]
      const before = await neighboursWrite()
      const rule = await set({ ...fault, who: { rooms: [room] } })
      const seen = rooms.map((each) => each.wire.events(each.room).length)
      const [shown, times] = await Promise.all([inTheRoom(room, wire), neighboursWrite()])
      for (const [index, each] of rooms.slice(1).entries()) {
        // Each of their messages came back once, in order, without a hole, and nothing failed. An ack may be ahead of its event.
        const count = () => each.wire.events(each.room).length - seen[index + 1]!
        await expect.poll(count, { timeout: 10_000 }).toBe(ROUNDS)
        const events = each.wire.events(each.room)
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => events[0]!.seq + n))
        expect(each.wire.received.filter(({ type }) => type === 'error' || type === 'reset')).toEqual([])
      }
      // Instances tell how often it struck every few seconds.
      const strikes = async () => {
        const { active } = await listed(rule.rule.id)
        return active.reduce((sum, each) => sum + each.strikes, 0)
      }
      await expect.poll(strikes, { timeout: 15_000 }).toBeGreaterThan(0)
      console.info(
        `${JSON.stringify(fault)}: neighbours' p99 ${p99(before)} ms before, ${p99(times)} ms during`,
      )
      return shown
    }

    test('commands that do not reach the log: an error that says to try again, and then they do', async () => {
      const fault = { point: 'gateway.command', effect: { kind: 'error', code: 'server.unavailable' } }
      const frames = await during(fault, async (room, wire) => {
        const sent = Array.from({ length: 5 }, (_, n) => sendFrame(v7(), room, `not yet ${n}`))
        for (const frame of sent) {
          wire.send(frame)
          expect(await wire.answer(frame.id)).toMatchObject({
            type: 'error',
            code: 'server.unavailable',
            retryable: true,
          })
        }
        return sent
      })
      await ask('/faults/halt', { method: 'POST', body: {} })
      const [{ wire }] = rooms as [(typeof rooms)[0]]
      for (const frame of frames) {
        wire.send(frame)
        expect(await wire.answer(frame.id, 1)).toMatchObject({ type: 'ack' })
      }
    })

    test('commands that cannot be decided: held, each told so, and no other of their batch', async () => {
      const fault = { point: 'chat.persist', effect: { kind: 'error', code: 'server.internal' } }
      await during(fault, async (room, wire) => {
        for (let n = 0; n < 5; n++) {
          const frame = sendFrame(v7(), room, `held ${n}`)
          wire.send(frame)
          expect(await wire.answer(frame.id)).toMatchObject({ type: 'error', code: 'command.held' })
        }
      })
    })

    test('events that do not reach the sockets: late, in order, none missing when it is over', async () => {
      const fault = { point: 'gateway.deliver', effect: { kind: 'hang' } }
      const frames = await during(fault, async (room, wire) => {
        const sent = Array.from({ length: 5 }, (_, n) => sendFrame(v7(), room, `late ${n}`))
        for (const frame of sent) wire.send(frame)
        return sent
      })
      const [{ room, wire }] = rooms as [(typeof rooms)[0]]
      // What the log does not bring, the gateway finds in Postgres when it next compares; an answer only the log brings.
      const answered = wire.received.filter((each) => frames.some(({ id }) => each.id === id))
      expect(answered.filter(({ type }) => type === 'ack')).toEqual([])
      await ask('/faults/halt', { method: 'POST', body: {} })
      for (const frame of frames) {
        const answer = await wire.answer(frame.id)
        if (answer.type === 'ack') continue
        // It hung for longer than an answer is waited for: not known, and known when asked again.
        expect(answer).toMatchObject({ code: 'server.timeout', retryable: true })
        wire.send(frame)
        expect(await wire.answer(frame.id, 1)).toMatchObject({ type: 'ack' })
      }
      await wire.first((each) => 'specversion' in each && each.causationid === frames.at(-1)!.id)
      const texts = wire.events(room).map(({ data }) => (data as { text: string }).text)
      expect(texts.filter((text) => text.startsWith('late'))).toEqual([0, 1, 2, 3, 4].map((n) => `late ${n}`))
    })
  })

  test('a crash between the commit and publishing loses nothing, and the next process does not crash again', async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token, { follow: [room] })
    const { rule } = await set({ point: 'chat.persisted', effect: { kind: 'crash' }, who: { rooms: [room] } })
    const chatOf = async () =>
      ((await ask('/faults')).body as LabFaults).instances.filter(({ service }) => service === 'chat')
    const [before] = await chatOf()
    const frame = sendFrame(v7(), room, 'survived')
    wire.send(frame)
    // Its outcome stands from the commit on; the event comes by the sweep of whoever follows.
    expect(await wire.answer(frame.id)).toBeDefined()
    await wire.first((each) => 'specversion' in each && each.causationid === frame.id)
    expect(wire.events(room).filter(({ causationid }) => causationid === frame.id)).toHaveLength(1)
    await acked(wire, sendFrame(v7(), room, 'and goes on'))
    await expect
      .poll(async () => (await chatOf()).some(({ instance }) => instance !== before!.instance))
      .toBe(true)
    // The rule stands, but in no process that began after it; of the dead one its last word is shown for a while.
    const now = await listed(rule.id)
    expect(now.state).toBe('active')
    expect(now.active.filter(({ instance }) => instance !== before!.instance)).toEqual([])
    wire.close()
  })

  test('a rule that is meant to survive a restart does', async () => {
    const order = { point: 'presence.lease', effect: { kind: 'delay', ms: 1 }, survivesRestart: true }
    const { rule, active } = await set(order)
    process.kill(runFile().parts.presence.process.pid, 'SIGKILL')
    const instances = async () => (await listed(rule.id)).active.map(({ instance }) => instance)
    await expect
      .poll(async () => (await instances()).filter((name) => name !== active[0]!.instance).length, {
        timeout: 30_000,
      })
      .toBe(1)
  })

  test('all are halted at once, though Kafka be the fault', async () => {
    const room = await roomOf(ada)
    const wire = await enter(ada.token, { follow: [room] })
    const { rule } = await set({ point: 'gateway.command', effect: { kind: 'hang' }, who: { rooms: [room] } })
    const { pid } = runFile().parts.kafka.process
    process.kill(pid, 'SIGSTOP')
    try {
      const { body } = await ask('/faults/halt', { method: 'POST', body: {} })
      expect(body.rules).toBe(1)
      const answered = body.instances.filter(({ ok }: { ok: boolean }) => ok)
      expect(answered.length).toBeGreaterThanOrEqual(3)
      expect(await listed(rule.id)).toMatchObject({ state: 'halted', active: [] })
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await acked(wire, sendFrame(v7(), room, 'on we go'))
    wire.close()
  })
})

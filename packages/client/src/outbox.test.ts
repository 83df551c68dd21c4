import { type KlatschError, limits, userSubject } from '@klatsch/contracts'
import { describe, expect, test } from 'vitest'
import { bench } from '../test/bench.ts'
import { USER } from '../test/fake-server.ts'
import { eventAfter } from '../test/history.ts'
import { memoryStorage } from './storage.ts'

const say = (b: ReturnType<typeof bench>, text: string, room = 'room:a') =>
  b.client.command('chat.message.send.v1', room, { text })
const texts = (frames: readonly { data?: unknown }[]) =>
  frames.map((frame) => (frame.data as { text: string }).text)
const afters = (frames: readonly { after?: string | undefined }[]) => frames.map((frame) => frame.after)
const errorOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => undefined,
    (error: KlatschError) => error,
  )

describe('the outbox', () => {
  test('what is written before the connection is sent after it, in order', async () => {
    const b = bench()
    const ids = [say(b, '1'), say(b, '2'), say(b, '3', 'room:b')].map(({ id }) => id)
    expect(b.client.outbox.map((command) => command.state)).toEqual(['queued', 'queued', 'queued'])
    const socket = await b.welcome()
    expect(texts(socket.commands)).toEqual(['1', '2', '3'])
    expect(socket.commands.map((command) => command.id)).toEqual(ids)
    expect(b.client.outbox.map((command) => command.state)).toEqual(['sent', 'sent', 'sent'])
  })

  test('each names the one before it in its stream that has no outcome yet', async () => {
    const b = bench()
    const socket = await b.welcome()
    const [first, , third] = [say(b, '1'), say(b, '2', 'room:b'), say(b, '3'), say(b, '4')]
    expect(afters(socket.commands)).toEqual([undefined, undefined, first.id, third.id])
  })

  test('an ack gives the outcome, and the command is gone', async () => {
    const b = bench()
    const socket = await b.welcome()
    const { id, outcome } = say(b, 'x')
    socket.ack(socket.commands[0]!, 7)
    expect(await outcome).toEqual({ id, subject: 'room:a', seq: 7 })
    expect(b.client.outbox).toEqual([])
    expect(b.seen.accepted).toMatchObject([{ command: { id }, outcome: { seq: 7 } }])
  })

  test("one's own event is an acceptance too, and an ack after it is nothing new", async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: 'room:a', head: 0 }])
    const { id, outcome } = say(b, 'x')
    const head = { subject: 'room:a', seq: 0, chain: '' }
    socket.tell(eventAfter(head, { actor: userSubject(USER), causationid: id }))
    expect(await outcome).toEqual({ id, subject: 'room:a', seq: 1 })
    socket.ack(socket.commands[0]!)
    expect(b.seen.accepted).toHaveLength(1)
  })

  test("another's event with the id of one's command settles nothing", async () => {
    const b = bench()
    const socket = await b.welcome([{ subject: 'room:a', head: 0 }])
    const { id } = say(b, 'x')
    socket.tell(eventAfter({ subject: 'room:a', seq: 0, chain: '' }, { causationid: id }))
    expect(b.client.outbox).toHaveLength(1)
  })

  test('after a cut all that is unanswered is sent again: same ids, same order', async () => {
    const b = bench()
    const before = await b.welcome()
    for (const text of ['1', '2', '3', '4']) say(b, text)
    before.ack(before.commands[1]!)
    before.cut()
    expect(b.client.outbox.map((command) => command.state)).toEqual(['queued', 'queued', 'queued'])
    const after = await b.welcome()
    expect(after.commands.map((c) => c.id)).toEqual([0, 2, 3].map((i) => before.commands[i]!.id))
    expect(afters(after.commands)).toEqual([undefined, before.commands[0]!.id, before.commands[2]!.id])
  })

  test('refused for the moment: it and those refused for its sake go again, in order', async () => {
    const b = bench()
    const socket = await b.welcome()
    const [one, two, three] = [say(b, '1'), say(b, '2'), say(b, '3')]
    socket.refuse(one, 'server.unavailable', true)
    socket.refuse(two, 'command.after_unknown', true)
    socket.refuse(three, 'command.after_unknown', true)
    await b.scheduler.pass(1_000)
    expect(texts(socket.commands)).toEqual(['1', '2', '3', '1', '2', '3'])
    expect(afters(socket.commands.slice(3))).toEqual([undefined, one.id, two.id])
  })

  test('what is written while its stream waits is sent behind it', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.refuse(say(b, '1'), 'command.after_unknown', true, 400)
    say(b, '2')
    say(b, 'elsewhere', 'room:b')
    expect(texts(socket.commands)).toEqual(['1', 'elsewhere'])
    await b.scheduler.pass(400)
    expect(texts(socket.commands)).toEqual(['1', 'elsewhere', '1', '2'])
  })

  test('limits concern all streams, and the wait that the server names is kept', async () => {
    const b = bench()
    const socket = await b.welcome()
    socket.refuse(say(b, '1'), 'limit.rate', true, 3_000)
    say(b, '2', 'room:b')
    await b.scheduler.pass(2_999)
    expect(texts(socket.commands)).toEqual(['1'])
    await b.scheduler.pass(1)
    expect(texts(socket.commands)).toEqual(['1', '1', '2'])
  })

  test('refused for good: the outcome rejects, and nothing sent later names it', async () => {
    const b = bench()
    const socket = await b.welcome()
    const [one, two, three] = [say(b, '1'), say(b, '2'), say(b, '3')]
    socket.refuse(two, 'room.not_allowed', false)
    expect(await errorOf(two.outcome)).toMatchObject({ code: 'room.not_allowed', message: 'no' })
    expect(b.seen.rejected).toMatchObject([{ command: { id: two.id }, error: { code: 'room.not_allowed' } }])
    // The gateway had refused it, so it never had an outcome, and this was refused in turn.
    socket.refuse(three, 'command.after_unknown', true)
    await b.scheduler.pass(200)
    expect(socket.commands.at(-1)).toMatchObject({ id: three.id, after: one.id })
  })

  test('held is an end for the one who waits', async () => {
    const b = bench()
    const socket = await b.welcome()
    const { id, outcome } = say(b, 'x')
    socket.refuse({ id }, 'command.held', false)
    expect(await errorOf(outcome)).toMatchObject({ code: 'command.held' })
    expect(b.client.outbox).toEqual([])
  })

  test('an error code of a later version keeps its meaning', async () => {
    const b = bench()
    const socket = await b.welcome()
    const [passing, final] = [say(b, '1'), say(b, '2')]
    socket.refuse(passing, 'moon.full', true)
    socket.refuse(final, 'moon.new', false)
    expect(b.client.outbox.map(({ id }) => id)).toEqual([passing.id])
    expect(await errorOf(final.outcome)).toMatchObject({ code: 'request.invalid', message: 'moon.new: no' })
  })

  test('a command whose answer was lost on a living connection is sent again', async () => {
    const b = bench()
    const socket = await b.welcome()
    say(b, 'x')
    await b.scheduler.pass(14_999)
    expect(socket.commands).toHaveLength(1)
    socket.tell({ type: 'pong' })
    await b.scheduler.pass(1)
    expect(socket.commands).toHaveLength(2)
    expect(socket.commands[1]).toEqual(socket.commands[0])
  })

  test('no more are on their way than the window has room for, and no more a second than the server takes', async () => {
    const b = bench()
    for (let i = 0; i < 400; i += 1) say(b, String(i))
    const socket = await b.welcome()
    expect(socket.commands).toHaveLength(100)
    for (let i = 0; i < 100; i += 1) socket.ack(socket.commands[i]!, i + 1)
    expect(socket.commands).toHaveLength(limits.commandBurst)
    for (let i = 100; i < 200; i += 1) socket.ack(socket.commands[i]!, i + 1)
    expect(socket.commands).toHaveLength(limits.commandBurst)
    await b.scheduler.pass(1_000)
    expect(socket.commands).toHaveLength(limits.commandBurst + 50)
    expect(texts(socket.commands)).toEqual(Array.from({ length: 250 }, (_, i) => String(i)))
  })

  test('a thousand wait at most; one more is refused and never sent', async () => {
    const b = bench()
    for (let i = 0; i < 1_000; i += 1) say(b, String(i))
    expect(await errorOf(say(b, 'one too many').outcome)).toMatchObject({ code: 'limit.rate' })
    expect(b.client.outbox).toHaveLength(1_000)
  })

  test('what could never be accepted is refused at once', async () => {
    const b = bench()
    expect(await errorOf(say(b, '   ').outcome)).toMatchObject({ code: 'command.invalid' })
    expect(await errorOf(say(b, 'x', 'user:me').outcome)).toMatchObject({ code: 'command.invalid' })
    expect(await errorOf(b.client.command('chat.room.join.v1', undefined, {}).outcome)).toMatchObject({
      code: 'command.invalid',
    })
    expect(b.client.outbox.length).toBeLessThanOrEqual(1)
  })

  test('an id that waits already is not added again', async () => {
    const b = bench()
    const { id, outcome } = say(b, 'x')
    const again = b.client.command('chat.message.send.v1', 'room:a', { text: 'x' }, { id })
    expect(b.client.outbox).toHaveLength(1)
    const socket = await b.welcome()
    socket.ack(socket.commands[0]!, 3)
    expect(await again.outcome).toEqual(await outcome)
  })

  test('a new room has no stream yet; the ack names it', async () => {
    const b = bench()
    const socket = await b.welcome()
    const { id, outcome } = b.client.command('chat.room.create.v1', undefined, { name: 'Kitchen' })
    expect(socket.commands[0]).toEqual({
      type: 'command',
      id,
      command: 'chat.room.create.v1',
      data: { name: 'Kitchen' },
    })
    socket.ack(socket.commands[0]!, 2)
    expect(await outcome).toMatchObject({ subject: 'room:new' })
  })

  test('closing leaves the outcome open: not known, and to be asked again', async () => {
    const b = bench()
    await b.welcome()
    const { outcome } = say(b, 'x')
    await b.client.close()
    expect(await errorOf(outcome)).toMatchObject({ code: 'server.timeout', retryable: true })
  })
})

describe('what outlives the process', () => {
  test('the outbox of an earlier run is sent before what this one wrote, its outcome told by event', async () => {
    const storage = memoryStorage()
    const before = bench({ storage })
    const [one, two] = [say(before, '1'), say(before, '2')]
    const first = await before.welcome()
    first.ack(first.commands[0]!)
    await before.client.close()

    let ids = 100
    const now = bench({ storage, newId: () => `00000000-0000-7000-9000-${String(++ids).padStart(12, '0')}` })
    const three = say(now, '3')
    const socket = await now.welcome()
    expect(texts(socket.commands)).toEqual(['2', '3'])
    expect(afters(socket.commands)).toEqual([undefined, two.id])
    for (const command of socket.commands) socket.ack(command)
    expect(now.seen.accepted.map(({ command }) => command.id)).toEqual([two.id, three.id])
    await now.client.close()
    expect((await storage.load()).outbox).toEqual([])
    expect(one.id).not.toBe(two.id)
  })

  test('a storage that fails is told, and the client goes on without', async () => {
    const broken = {
      load: () => Promise.reject(new Error('no disk')),
      write: () => Promise.reject(new Error('no disk')),
    }
    const b = bench({ storage: broken })
    const { outcome } = say(b, 'x')
    const socket = await b.welcome()
    socket.ack(socket.commands[0]!)
    await outcome
    await b.settle()
    expect(b.seen.storageFailed.length).toBeGreaterThanOrEqual(2)
  })
})

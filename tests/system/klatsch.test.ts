import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventId } from '@klatsch/contracts'
import { v7 } from 'uuid'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { klatsch } from './command-line.ts'
import { registered, roomOf, type TestPerson } from './people.ts'
import { acked, enter, sendFrame } from './wire.ts'

// Finds the stack by its data folder, which only the one of these tests has.
describe.skipIf(inject('stack').dataDir === '')('klatsch on the command line', () => {
  let ada: TestPerson
  let room: string
  const id = v7()
  beforeAll(async () => {
    ada = await registered()
    room = await roomOf(ada)
    const wire = await enter(ada.token)
    await acked(wire, sendFrame(id, room, 'on the line'))
    wire.close()
  })

  test('topics: for people without colours in a pipe, as JSON for programs', async () => {
    const { code, out } = await klatsch('topics')
    expect(code).toBe(0)
    expect(out).toMatch(/chat\.commands +12 +\d+ .*chat \((all read|lag \d+)\)/)
    expect(out).not.toContain('\u001b')
    const json = JSON.parse((await klatsch('topics', 'chat.events', '--json')).out)
    expect(json).toMatchObject([{ topic: 'chat.events', partitions: expect.any(Array) }])
  })

  test('follow: the way of a command, and that there is none', async () => {
    const { code, out } = await klatsch('follow', id)
    expect(code).toBe(0)
    expect(out).toMatch(/chat\.commands\[\d+\]@\d+ +chat\.message\.send\.v1/)
    expect(out).toContain('accepted at #')
    const sent = eventId(ada.actor, id, 0)
    const same = await klatsch('follow', sent)
    expect(same.out).toMatch(
      new RegExp(
        `^${sent} is the event chat.message.sent.v1 #\\d+ at chat.events\\[\\d+\\]@\\d+, in ${room}. It came of this command:`,
      ),
    )
    expect(same.out).toContain(out)
    const nothing = await klatsch('follow', v7())
    expect([nothing.code, nothing.out]).toEqual([1, ''])
    expect(nothing.err).toContain('no such command is on the log')
  })

  test('replay: to the terminal and into a file, the same records', async () => {
    const shown = await klatsch('replay', 'chat.events', '--room', room, '--json')
    const file = join(inject('stack').dataDir, 'replayed.jsonl')
    expect((await klatsch('replay', 'chat.events', '--room', room, '--out', file)).code).toBe(0)
    const byOffset = (text: string) => text.trim().split('\n').sort()
    expect(byOffset(readFileSync(file, 'utf8'))).toEqual(byOffset(shown.out))
    expect(shown.out).toContain('on the line')
    const nowhere = await klatsch('replay', 'chat.events', '--room', room, '--out', '/nowhere/at/all')
    expect([nowhere.code, nowhere.err]).toEqual([1, expect.stringContaining('cannot be written')])
  })

  test('replay --into: first what it would do, and then it is done', async () => {
    const target = `study.${v7()}`
    const into = ['replay', 'chat.events', '--room', room, '--into', target]
    expect((await klatsch(...into, '--dry-run')).out).toMatch(/^\d+ records would be sent:/)
    const { code, out } = await klatsch(...into)
    expect([code, out]).toEqual([0, expect.stringMatching(/replay \S+: done, (\d+) of \1 sent/)])
  })

  test('faults: set, listed and called off', async () => {
    const set = await klatsch(
      ...['faults', 'set', 'gateway.command', 'error', '--room', room, '--for', '1m', '--seed', '7'],
    )
    expect([set.code, set.out]).toEqual([0, expect.stringMatching(/active in 1 of 1 after \d+ ms/)])
    expect((await klatsch('faults')).out).toMatch(/active +gateway\.command +error server\.internal/)
    const halted = await klatsch('faults', 'halt')
    expect([halted.code, halted.out]).toEqual([0, expect.stringContaining('1 faults called off.')])
    const wrong = await klatsch('faults', 'set', 'gateway.command', 'explode', '--for', '1m')
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('is no fault')])
  })

  test('dlq: an empty redrive says so; what is not understood ends with 2', async () => {
    const { code, out } = await klatsch('dlq', 'redrive', '--key', room)
    expect([code, out.trim()]).toEqual([0, 'There are no held commands to send.'])
    for (const args of [['faults', 'set', 'gateway.command', 'drop'], ['follow'], ['nonsense']])
      expect((await klatsch(...args)).code).toBe(2)
  })
})

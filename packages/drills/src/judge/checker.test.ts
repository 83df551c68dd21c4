import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printReport } from '../report/print.ts'
import { type Anomaly, check } from './checker.ts'
import type { Answer, History, Read, Send } from './history.ts'

interface Shape {
  readonly rooms: number
  readonly observers: number
  readonly messages: readonly { readonly room: number; readonly sender: number; readonly outcome: number }[]
}

const shapes: fc.Arbitrary<Shape> = fc.integer({ min: 1, max: 3 }).chain((rooms) =>
  fc.record({
    rooms: fc.constant(rooms),
    observers: fc.integer({ min: 2, max: 4 }),
    messages: fc.array(
      fc.record({
        room: fc.integer({ min: 0, max: rooms - 1 }),
        sender: fc.integer({ min: 0, max: 3 }),
        outcome: fc.integer({ min: 0, max: 9 }),
      }),
      { minLength: 3, maxLength: 60 },
    ),
  }),
)

const read = (observer: string, room: string, seq: number, send?: Send): Read => ({
  observer,
  room,
  seq,
  id: `${room}#${seq}`,
  actor: send?.actor ?? 'system',
  command: send?.command ?? `join ${seq}`,
  prevchain: seq === 1 ? '' : `${room}:${seq - 1}`,
  chain: `${room}:${seq}`,
  genuine: true,
  ...(send ? { text: send.text } : {}),
})

/** A history as it should be: most sends acknowledged, some unknown (in the room or not), some refused. */
function goodHistory(shape: Shape): History {
  const heads = new Map<string, number>()
  const log: { room: string; seq: number; send?: Send }[] = []
  const append = (room: string, send?: Send) => {
    const seq = (heads.get(room) ?? 0) + 1
    heads.set(room, seq)
    log.push({ room, seq, ...(send ? { send } : {}) })
    return seq
  }
  for (let room = 0; room < shape.rooms; room += 1) append(`room ${room}`)
  const sends = shape.messages.map((message, order): Send => {
    const room = `room ${message.room}`
    const actor = `actor ${message.sender}`
    const send = { actor, device: actor, command: `command ${order}`, room, text: `text ${order}`, order }
    if (message.outcome === 9) return { ...send, outcome: { kind: 'rejected', code: 'room.not_allowed' } }
    if (message.outcome === 8) return { ...send, outcome: { kind: 'unknown' } }
    const landed: Send = { ...send, outcome: { kind: 'unknown' } }
    const seq = append(room, landed)
    return message.outcome === 7 ? landed : { ...send, outcome: { kind: 'acked', seq } }
  })
  const names = [...Array.from({ length: shape.observers }, (_, i) => `observer ${i}`), 'postgres']
  const members = names.filter((name) => name !== 'postgres')
  return {
    sends,
    reads: names.flatMap((name) => log.map(({ room, seq, send }) => read(name, room, seq, send))),
    observers: members.flatMap((observer) => [...heads.keys()].map((room) => ({ observer, room, from: 1 }))),
    copies: ['postgres'],
  }
}

const found = (history: History): Anomaly[] =>
  Object.entries(check(history).anomalies).flatMap(([name, witnesses]) =>
    witnesses.length > 0 ? [name as Anomaly] : [],
  )

/** Three messages in one room, all acknowledged, by two senders, seen by two observers and Postgres. */
const three = goodHistory({
  rooms: 1,
  observers: 2,
  messages: [0, 0, 1].map((sender) => ({ room: 0, sender, outcome: 0 })),
})
const mine = (observer: string) => (r: Read) => r.observer === observer
const withReads = (change: (reads: Read[]) => Read[]): History => ({
  ...three,
  reads: change([...three.reads]),
})
const at = (observer: string, seq: number) =>
  three.reads.findIndex((r) => r.observer === observer && r.seq === seq)
const changed = (observer: string, seq: number, change: Partial<Read>): History =>
  withReads((reads) => reads.with(at(observer, seq), { ...reads[at(observer, seq)]!, ...change }))
const without = (observer: string, seq: number): History =>
  withReads((reads) => reads.toSpliced(at(observer, seq), 1))

describe('the checker', () => {
  test('finds nothing where nothing is wrong', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        expect(found(goodHistory(shape))).toEqual([])
      }),
    )
  })

  test('lost: acknowledged, and missing at one member', () => {
    expect(found(without('observer 1', 3))).toEqual(['lost', 'gaps'])
    expect(found(without('observer 1', 4))).toEqual(['lost', 'gaps'])
  })

  test('lost: acknowledged, and nowhere at all', () => {
    const history = withReads((reads) => reads.filter((r) => r.seq < 4))
    expect(check(history).anomalies.lost).toHaveLength(3)
  })

  test('lost: acknowledged at a seq where something else is', () => {
    const other = three.sends[0]!
    const history = {
      ...three,
      sends: [
        ...three.sends,
        { ...other, command: 'other', text: 'other', order: 9, outcome: { kind: 'acked' as const, seq: 4 } },
      ],
    }
    expect(found(history)).toEqual(['lost'])
  })

  test('doubled: one command at two places', () => {
    const names = ['observer 0', 'observer 1', 'postgres']
    const again = names.map((name) => read(name, 'room 0', 5, three.sends[0]!))
    expect(found(withReads((reads) => [...reads, ...again]))).toEqual(['doubled'])
  })

  test('doubled: one event told twice to one observer', () => {
    expect(found(withReads((reads) => [...reads, reads[at('observer 0', 2)]!]))).toEqual(['doubled'])
  })

  test('out of order: told an earlier one after a later one', () => {
    const history = withReads((reads) => {
      const [i, j] = [at('observer 0', 2), at('observer 0', 3)]
      return reads.with(i, reads[j]!).with(j, reads[i]!)
    })
    expect(found(history)).toEqual(['outOfOrder'])
  })

  test('divergent: two observers have two orders, each linked in itself', () => {
    const history = withReads((reads) => {
      const [i, j] = [at('observer 0', 2), at('observer 0', 3)]
      const [a, b] = [reads[i]!, reads[j]!]
      return reads
        .with(i, { ...b, seq: 2, prevchain: a.prevchain, chain: 'x' })
        .with(j, { ...a, seq: 3, prevchain: 'x', chain: b.chain })
    })
    expect(found(history)).toEqual(expect.arrayContaining(['divergent']))
  })

  test('gaps: an event that was no message is missing too', () => {
    expect(found(without('observer 0', 1))).toEqual(['gaps'])
  })

  test('gaps: a member that saw nothing', () => {
    expect(found(withReads((reads) => reads.filter((r) => r.observer !== 'observer 1')))).toEqual([
      'lost',
      'gaps',
    ])
  })

  test('chain breaks: a wrong link, and hashes that do not hold', () => {
    expect(found(changed('observer 0', 3, { prevchain: 'x' }))).toEqual(['chainBreaks'])
    expect(found(changed('observer 0', 3, { genuine: false }))).toEqual(['chainBreaks'])
  })

  test('phantom: never sent, refused, or with other words', () => {
    expect(found({ ...three, sends: three.sends.slice(0, 2) })).toEqual(['phantom'])
    const refused = { kind: 'rejected' as const, code: 'room.not_allowed' }
    expect(found({ ...three, sends: three.sends.with(2, { ...three.sends[2]!, outcome: refused }) })).toEqual(
      ['phantom'],
    )
    expect(found(changed('observer 0', 3, { text: 'I owe you money' }))).toEqual(['phantom'])
  })

  test('misplaced: acknowledged at one seq, found at another', () => {
    const moved = { ...three.sends[2]!, outcome: { kind: 'acked' as const, seq: 9 } }
    expect(found({ ...three, sends: three.sends.with(2, moved) })).toEqual(['misplaced'])
  })

  test("the sender's order: its second message is before its first", () => {
    const [first, second] = [three.sends[0]!, three.sends[1]!]
    const sends = three.sends
      .with(0, { ...first, order: second.order })
      .with(1, { ...second, order: first.order })
    expect(found({ ...three, sends })).toEqual(['senderOrder'])
  })

  test('held: it may be nowhere, or come late, and is not in the row of its sender', () => {
    const held = { ...three.sends[0]!, outcome: { kind: 'held' as const } }
    const last = three.sends.length
    expect(found({ ...three, sends: [{ ...held, order: last }, ...three.sends.slice(1)] })).toEqual([])
    const nowhere = { ...held, command: 'nowhere' }
    expect(check({ ...three, sends: [...three.sends, nowhere] })).toMatchObject({ ok: true, held: 1 })
  })

  test('unresolved: what the system says of a command is not what is in the room', () => {
    const [send] = three.sends
    const { actor, command } = send!
    const place = three.reads.find((r) => r.command === command)!.seq
    const answering = (state: Answer['state'], seq?: number) =>
      found({ ...three, answers: [{ actor, command, state, seq }] })
    expect(answering('accepted', place)).toEqual([])
    expect(answering('accepted', place + 1)).toEqual(['unresolved'])
    expect(answering('rejected')).toEqual(['unresolved'])
    expect(answering('unknown')).toEqual(['unresolved'])
    const unknown = { ...send!, command: 'unanswered', outcome: { kind: 'unknown' as const } }
    const asked = (state: Answer['state'], seq?: number) =>
      found({
        ...three,
        sends: [...three.sends, unknown],
        answers: [{ actor, command: 'unanswered', state, seq }],
      })
    expect(asked('unknown')).toEqual([])
    expect(asked('accepted', 7)).toEqual(['unresolved'])
  })

  test('unannounced gaps: a connection passed over something, whoever healed it', () => {
    const skip = { observer: 'observer 0', room: 'room 0', after: 1, seq: 3, how: 'of 3 on connection 1' }
    const { anomalies, ok } = check({ ...three, skips: [skip] })
    expect(ok).toBe(false)
    expect(anomalies.unannouncedGaps).toEqual([
      {
        ...{ observer: 'observer 0', room: 'room 0', seq: 3 },
        what: 'observer 0 was told of room 0 up to 1 and then of 3 on connection 1',
      },
    ])
  })

  test('undecided: taken, and without an outcome when it is asked for in the end', () => {
    const { actor, ...rest } = three.sends[0]!
    const taken: Send = {
      ...rest,
      actor,
      command: 'taken',
      text: 'taken',
      order: 9,
      outcome: { kind: 'taken' },
    }
    const asked = (answers: Answer[]) => found({ ...three, sends: [...three.sends, taken], answers })
    expect(asked([])).toEqual(['undecided'])
    expect(asked([{ actor, command: 'taken', state: 'unknown' }])).toEqual(['undecided'])
    expect(asked([{ actor, command: 'taken', state: 'rejected' }])).toEqual([])
    expect(asked([{ actor, command: 'taken', state: 'accepted', seq: 9 }])).toEqual(['unresolved'])
  })

  test('where a log has what the record has not, it is said: topic, partition, offset, time', () => {
    const at = 'chat.events[3]@17 of 2026-01-01T00:00:00.000Z'
    const log = three.reads.filter(mine('postgres')).map((r) => ({ ...r, observer: 'log', at }))
    const history = (reads: Read[]) => ({
      ...three,
      copies: ['postgres', 'log'],
      reads: [...three.reads, ...reads],
    })
    expect(found(history(log))).toEqual([])
    const twice = [
      ...log.slice(0, 2),
      { ...log[2]!, chain: 'of a decision that was never committed' },
      ...log.slice(2),
    ]
    const { divergent } = check(history(twice)).anomalies
    expect(divergent[0]?.what).toContain(`at log, ${at}, but room 0 3 (room 0#3)`)
    const ahead = {
      ...log.at(-1)!,
      seq: 5,
      id: 'phantom',
      prevchain: 'room 0:4',
      chain: 'room 0:5',
      text: undefined,
    }
    expect(found(history([...log, ahead as unknown as Read]))).toContain('gaps')
  })

  test('whatever single read is taken away from whatever history: it is noticed', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, index) => {
        const history = goodHistory(shape)
        const reads = history.reads.toSpliced(index % history.reads.length, 1)
        expect(check({ ...history, reads }).ok).toBe(false)
      }),
    )
  })

  test('whatever two reads of one observer and room change places: it is noticed', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.nat(), (shape, a, b) => {
        const history = goodHistory(shape)
        const one = history.reads[a % history.reads.length]!
        const same = history.reads.filter((r) => r.room === one.room && mine(one.observer)(r))
        const two = same[b % same.length]!
        fc.pre(one.seq !== two.seq)
        const [i, j] = [history.reads.indexOf(one), history.reads.indexOf(two)]
        const reads = history.reads.with(i, two).with(j, one)
        expect(found({ ...history, reads })).toContain('outOfOrder')
      }),
    )
  })

  test('whatever read is told again: it is noticed', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, index) => {
        const history = goodHistory(shape)
        const again = history.reads[index % history.reads.length]!
        expect(found({ ...history, reads: [...history.reads, again] })).toEqual(['doubled'])
      }),
    )
  })
})

describe('the printed report', () => {
  test('is one line and its counts where nothing is wrong', () => {
    expect(printReport(check(three))).toBe(
      'sent 3 · lost 0 · doubled 0 · out of order 0\n  acknowledged 3 · unknown 0 · refused 0 · read 12 by 3',
    )
  })

  test('names what was found, what it means, and witnesses', () => {
    const text = printReport(check(withReads((reads) => reads.filter((r) => r.observer !== 'observer 1'))))
    expect(text).toContain('sent 3 · lost 3 · doubled 0 · out of order 0 · gaps 1')
    expect(text).toContain('acknowledged at room 0 2, is not at observer 1')
  })
})

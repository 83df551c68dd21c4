import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  commandHash,
  createdRoomSubject,
  dataHash,
  eventId,
  jcs,
  parseCommand,
  parseCommandData,
  partitionOf,
  retryTiersOf,
  topics,
  verifyEvent,
} from './index.ts'
import { chainOf } from './integrity.ts'
import { sha256 as nodeSha256 } from './sha256.node.ts'
import { sha256 as browserSha256 } from './sha256.ts'

test('[C5] the hash of browsers and the hash of Node are one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(browserSha256(text)).toBe(nodeSha256(text))
    }),
  )
})

test('[C5] JCS sorts keys, and does not depend on the order in which they came', () => {
  expect(jcs({ b: 1, a: { d: '€', c: [1e21, 0.1] } })).toBe('{"a":{"c":[1e+21,0.1],"d":"€"},"b":1}')
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
      const reversed = Object.fromEntries(Object.entries(data).reverse())
      expect(jcs(reversed)).toBe(jcs(data))
      expect(commandHash('t', 'room:a', reversed)).toBe(commandHash('t', 'room:a', data))
    }),
  )
})

const chained = (data: unknown) => {
  const fields = {
    subject: 'room:a',
    seq: 2,
    id: 'i',
    type: 't',
    actor: 'user:u',
    time: 'now',
    datahash: dataHash('salt', data),
    prevchain: 'p',
  }
  return { ...fields, chain: chainOf(fields), salt: 'salt', data }
}

test('[C5] an event verifies; with any part of it changed it does not; with its data erased it still does', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom('subject', 'id', 'type', 'actor', 'time', 'datahash', 'prevchain', 'salt'),
      (data, field) => {
        const event = chained(data)
        expect(verifyEvent(event)).toBe(true)
        expect(verifyEvent({ ...event, [field]: `${event[field as 'id']}x` })).toBe(false)
        expect(verifyEvent({ ...event, seq: 3 })).toBe(false)
        expect(verifyEvent({ ...event, data: [data] })).toBe(false)
        const { data: _data, salt: _salt, ...erased } = event
        expect(verifyEvent(erased)).toBe(true)
      },
    ),
  )
})

test("[D1] the partition of a key is that of Kafka's own clients", () => {
  // The vectors of Kafka's UtilsTest.testMurmur2, as partitions of 2^31 - 1.
  const vectors = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
  }
  for (const [key, hash] of Object.entries(vectors))
    expect(partitionOf(key, 0x7fffffff)).toBe((hash & 0x7fffffff) % 0x7fffffff)
})

test('[C3] [C4] the same actor and command always name the same room and events, and no two the same', () => {
  const ada = 'user:6f0e3c52-2f51-4c6e-9d0a-3c1f2b7a8e10'
  const ben = 'user:7f0e3c52-2f51-4c6e-9d0a-3c1f2b7a8e10'
  const id = '01980000-0000-7000-8000-000000000000'
  expect(createdRoomSubject(ada, id)).toBe(createdRoomSubject(ada, id))
  const names = [
    createdRoomSubject(ada, id),
    createdRoomSubject(ben, id),
    eventId(ada, id, 0),
    eventId(ada, id, 1),
    eventId('system:chat', id, 0),
  ]
  expect(new Set(names).size).toBe(names.length)
})

test('[P2] [P4] commands with unknown fields, U+0000, lone surrogates or only blanks are refused; others pass unchanged', () => {
  const send = (data: unknown) => parseCommandData('chat.message.send.v1', 'room:a', data)
  for (const data of [
    {},
    { text: '' },
    { text: ' \n ' },
    { text: 'a\u0000' },
    { text: '\ud800' },
    { text: 'a', colour: 1 },
    { text: 'x'.repeat(8_001) },
    null,
    [],
  ]) {
    expect(send(data)).toMatchObject({ ok: false, code: 'command.invalid' })
  }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      fc.pre(text.trim() !== '' && !text.includes('\u0000'))
      expect(send({ text })).toEqual({ ok: true, data: { text } })
    }),
  )
  expect(parseCommandData('chat.message.send.v1', 'user:a', { text: 'x' })).toMatchObject({ ok: false })
  expect(parseCommandData('toString', 'room:a', {})).toMatchObject({ ok: false, code: 'command.unknown' })
})

test('decoding a command never throws', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      parseCommand(value)
    }),
  )
})

test('streams keep their partition from command to event', () => {
  expect(topics.events.partitions).toBe(topics.commands.partitions)
})

test('the delay topics of the echo projection are in the registry, in order', () => {
  const names = retryTiersOf('lab.echo').map(({ topic }) => topic)
  expect(names).toEqual([topics.echoRetry1s.name, topics.echoRetry10s.name, topics.echoRetry1m.name])
})

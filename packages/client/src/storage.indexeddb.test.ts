import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { indexedDbStorage } from './storage.indexeddb.ts'
import { memoryStorage, storageWriter } from './storage.ts'
import type { ClientStorage, PendingCommand, StorageChange } from './types.ts'

const command = (id: string): PendingCommand => ({
  id,
  type: 'chat.message.send.v1',
  subject: 'room:a',
  data: { text: id },
  at: 1,
  state: 'queued',
})

const kinds: [string, () => ClientStorage][] = [
  ['memory', memoryStorage],
  ['IndexedDB', () => indexedDbStorage(`klatsch:${Math.random()}`)],
]

for (const [name, make] of kinds) {
  test(`${name}: keeps commands in order, each once, until they are removed`, async () => {
    const storage = make()
    await storage.write({ add: [command('c'), command('a')] })
    await storage.write({ add: [command('b'), command('a')] })
    expect((await storage.load()).outbox.map(({ id }) => id)).toEqual(['c', 'a', 'b'])
    await storage.write({ remove: ['a', 'unknown'] })
    expect((await storage.load()).outbox).toEqual([command('c'), command('b')])
  })

  test(`${name}: keeps cursors, and forgets them`, async () => {
    const storage = make()
    await storage.write({ cursors: { 'room:a': { seq: 1, chain: 'x' }, 'room:b': { seq: 2 } } })
    await storage.write({ cursors: { 'room:a': { seq: 3, chain: 'y' }, 'room:b': null } })
    expect((await storage.load()).cursors).toEqual({ 'room:a': { seq: 3, chain: 'y' } })
  })
}

test('IndexedDB: what one page wrote the next one finds', async () => {
  await indexedDbStorage('shared').write({ add: [command('a')], cursors: { 'room:a': { seq: 1 } } })
  expect(await indexedDbStorage('shared').load()).toEqual({
    outbox: [command('a')],
    cursors: { 'room:a': { seq: 1 } },
  })
})

test('IndexedDB: a change that cannot be written whole is not written at all', async () => {
  const storage = indexedDbStorage('atomic')
  const unstorable = { seq: 1, chain: (() => {}) as unknown as string }
  await expect(storage.write({ add: [command('a')], cursors: { 'room:a': unstorable } })).rejects.toThrow()
  expect(await storage.load()).toEqual({ outbox: [], cursors: {} })
})

test('the writer collects what comes while it writes, and writes in order', async () => {
  const written: StorageChange[] = []
  const gates: (() => void)[] = []
  const slow: ClientStorage = {
    load: async () => ({ outbox: [], cursors: {} }),
    write: (change) => {
      written.push(change)
      return new Promise((resolve) => gates.push(resolve))
    },
  }
  const writer = storageWriter(slow, () => {})
  writer.write({ add: [command('a')] })
  writer.write({ cursors: { 'room:a': { seq: 1 } } })
  await new Promise(setImmediate)
  writer.write({ remove: ['a'] })
  writer.write({ cursors: { 'room:a': { seq: 2 } } })
  const settled = writer.settled()
  gates.shift()?.()
  await new Promise(setImmediate)
  gates.shift()?.()
  await settled
  expect(written).toEqual([
    { add: [command('a')], remove: [], cursors: { 'room:a': { seq: 1 } } },
    { add: [], remove: ['a'], cursors: { 'room:a': { seq: 2 } } },
  ])
})

import type { Bug } from '@klatsch/contracts'
import { globalRoomRequest, makeGlobalRoom } from '../src/domain/global-room.ts'
import { commandProcessor } from '../src/inbound/processor.ts'
import { memoryStore } from '../src/outbound/memory-store.ts'
import type { TestCommand } from './commands.ts'
import { recordingPublisher } from './publisher.ts'

/** The context of a batch that nothing disturbs. */
export const calm = {
  signal: new AbortController().signal,
  topic: 'chat.commands',
  partition: 0,
  attempt: 1,
}

/** A processor over a record and a log in memory, with the global room, and a clock and salts of its own. */
export async function newWorld(bugs: readonly Bug[] = []) {
  const store = memoryStore()
  const publisher = recordingPublisher()
  let time = Date.parse('2026-01-01T00:00:00Z')
  let salts = 0
  const processor = commandProcessor({
    store,
    publisher,
    now: () => time,
    newSalt: () => `salt-${++salts}`,
    bugs: new Set(bugs),
  })
  await store.transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, 0, () => 'salt'))
  return {
    store,
    publisher,
    processor,
    log: publisher.records,
    setClock(at: number) {
      time = at
    },
    feed: (...commands: TestCommand[]) =>
      processor.handle(
        commands.map(({ record }) => record),
        calm,
      ),
  }
}

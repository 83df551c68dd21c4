import { createHash } from 'node:crypto'
import type { CommandStore } from '@klatsch/chat/src/domain/command-store.ts'
import { consumeCommands } from '@klatsch/chat/src/inbound/commands.ts'
import { commandProcessor } from '@klatsch/chat/src/inbound/processor.ts'
import { attemptLog, type Consumer, PassingFault } from '@klatsch/event-bus'
import type { SimulatedProcess } from '@klatsch/streams/simulation'
import { call, type Surroundings } from './calls.ts'

export interface ChatProcess {
  readonly process: SimulatedProcess
  readonly consumer: Consumer
}

/** A chat process: the real processor over a record that every call reaches late, or not, or whose answer is lost. */
export async function startChat(world: Surroundings, name: string): Promise<ChatProcess> {
  const { sim, store, faults, bugs } = world
  const process = sim.process(name)
  const bus = world.bus.client(process, bugs)
  const away = () => new PassingFault('the database is away')
  const far: CommandStore = {
    transact: (request, decide) =>
      call(world, process, away, () =>
        store.transact(request, (loaded) => {
          const writes = decide(loaded)
          if (faults.undone > 0 && sim.random() < faults.undone) throw away()
          return writes
        }),
      ),
    markPublished: (ranges) => call(world, process, away, () => store.markPublished(ranges)),
    unpublished: (of, limit) => call(world, process, away, () => store.unpublished(of, limit)),
    claim: (outcome) => call(world, process, away, () => store.claim(outcome)),
  }
  let salts = 0
  const newSalt = () => createHash('sha256').update(`${name}${salts++}`).digest('base64url').slice(0, 22)
  const publisher = await bus.publisher()
  const deadLetters = await bus.publisher()
  const processor = commandProcessor({ store: far, publisher, now: process.now, newSalt, bugs })
  const attempts = attemptLog(deadLetters, { scheduler: process })
  return { process, consumer: await consumeCommands(bus, processor, deadLetters, attempts, () => {}, bugs) }
}

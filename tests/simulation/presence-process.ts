import { presenceTimes, topics } from '@klatsch/contracts'
import { attemptLog, type Consumer } from '@klatsch/event-bus'
import { Memory } from '@klatsch/presence/src/domain/memory.ts'
import { type SignalProcessor, signalProcessor } from '@klatsch/presence/src/inbound/signals.ts'
import type { SimulatedProcess } from '@klatsch/streams/simulation'
import { call, type Surroundings } from './calls.ts'

export interface PresenceProcess {
  readonly process: SimulatedProcess
  readonly consumer: Consumer
  readonly partitions: SignalProcessor['partitions']
}

/** How far back a new owner looks. */
export const LATEST_MS = presenceTimes.leaseMs + 3_000

/** A presence process: the real processor, which learns from the log's latest records when a partition becomes its own. */
export async function startPresence(world: Surroundings, name: string): Promise<PresenceProcess> {
  const { sim, bugs } = world
  const process = sim.process(name)
  const bus = world.bus.client(process)
  const publisher = await bus.publisher()
  const latest = (partition: number) =>
    call({ ...world, faults: { refused: 0, undone: 0, answerLost: 0 } }, process, unreachable, () =>
      world.bus
        .records(topics.presenceSignals.name)
        .filter((record) => record.partition === partition && record.timestamp >= sim.now() - LATEST_MS),
    )
  const processor = signalProcessor(publisher, new Memory(), latest, bugs)
  const consumer = await bus.consume({
    group: 'presence',
    topics: [topics.presenceSignals.name],
    start: 'committed',
    deadLetters: publisher,
    attempts: attemptLog(publisher, { scheduler: process }),
    onDeadLetter: async ({ record }) => processor.buried(record),
    onAssigned: (_topic, partition, signal) => processor.assigned(partition, signal),
    handler: processor.handle,
    idle: { everyMs: presenceTimes.tickMs, run: (_topic, partition) => processor.keepTime(partition) },
  })
  return { process, consumer, partitions: processor.partitions }
}

const unreachable = () => new Error('the log cannot be read')

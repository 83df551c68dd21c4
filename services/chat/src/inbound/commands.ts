import { type Bugs, noBugs, topics } from '@klatsch/contracts'
import type { AttemptLog, BatchHandler, Consumer, EventBus, Publisher } from '@klatsch/event-bus'
import type { CommandProcessor } from './processor.ts'

const GROUP = 'chat'
/** Commands decided in one transaction at most. */
const MAX_BATCH = 500
const SWEEP_MS = 5_000

/** Consumes `chat.commands`. Before the first command of a partition, and now and then, what crashes left is published. */
export function consumeCommands(
  bus: EventBus,
  processor: CommandProcessor,
  deadLetters: Publisher,
  attempts: AttemptLog,
  onHeld: () => void,
  bugs: Bugs = noBugs,
): Promise<Consumer> {
  const sweep = (_topic: string, partition: number, signal: AbortSignal) => processor.sweep(partition, signal)
  return bus.consume({
    group: GROUP,
    topics: [topics.commands.name],
    start: 'committed',
    maxBatch: MAX_BATCH,
    handler: bugs.has('offset-before-commit') ? forgetful(processor.handle) : processor.handle,
    onAssigned: sweep,
    idle: { everyMs: SWEEP_MS, run: sweep },
    async onDeadLetter(letter) {
      await processor.hold(letter)
      onHeld()
    },
    deadLetters,
    attempts,
  })
}

/** A deliberate bug: says it is done when it has begun. */
function forgetful(handle: BatchHandler): BatchHandler {
  return async (records, context) => {
    handle(records, context).catch(() => {})
  }
}

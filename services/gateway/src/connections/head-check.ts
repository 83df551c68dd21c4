import { emptyTip } from '@klatsch/contracts'
import { pause, type Scheduler } from '@klatsch/streams'
import type { FeedCounts } from './counts.ts'
import type { Healer } from './healer.ts'
import type { ChatQueries } from './queries.ts'
import type { TrackedStream } from './tracked-stream.ts'

const HEAD_CHECK_MS = 15_000
const HEADS_PER_QUERY = 5_000

/** A silent tail is found too: every now and then the heads of these streams are compared with Postgres, in few queries. */
export async function keepCheckingHeads(options: {
  streams: () => readonly TrackedStream[]
  queries: ChatQueries
  healer: Healer
  counts: FeedCounts
  scheduler: Scheduler
  random: () => number
  signal: AbortSignal
  warn: (fields: object, message: string) => void
}): Promise<void> {
  const { queries, healer, counts, scheduler, random, signal, warn } = options

  async function check(open: readonly TrackedStream[]): Promise<void> {
    for (let from = 0; from < open.length; from += HEADS_PER_QUERY) {
      const some = open.slice(from, from + HEADS_PER_QUERY)
      const before = some.map((stream) => stream.head)
      const heads = await queries.heads(some.map((stream) => stream.subject))
      some.forEach((stream, index) => {
        counts.headsCompared += 1
        const then = before[index]!
        const head = heads[stream.subject] ?? emptyTip
        const forked = head.seq < then.seq || (head.seq === then.seq && head.chain !== then.chain)
        if (forked) healer.fork(stream)
        else healer.expect(stream, head.seq)
      })
    }
  }

  while (!signal.aborted) {
    await pause(scheduler, HEAD_CHECK_MS * (0.75 + random() / 2), signal)
    if (signal.aborted) return
    await check(options.streams()).catch((error) =>
      warn({ err: error }, 'asking for heads failed; trying again later'),
    )
  }
}

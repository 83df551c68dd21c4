import { type Bugs, noBugs } from '@klatsch/contracts'
import { type BatchHandler, type IncomingRecord, PassingFault, type Publisher } from '@klatsch/event-bus'
import { takeIn } from '../domain/leases.ts'
import type { Memory } from '../domain/memory.ts'
import {
  isQuiet,
  newPartition,
  type Partition,
  type PresenceEvent,
  type SignalRecord,
} from '../domain/partition.ts'
import { tell, tick } from '../outbound/announce.ts'
import { decodeSignal } from './decode.ts'

export interface SignalProcessor {
  /** The partitions owned now. */
  readonly partitions: ReadonlyMap<number, Partition>
  readonly counts: { readonly told: number }
  /**
   * A partition became ours, until `signal` aborts: asks the gateways for all they have, and learns from the latest
   * records who was heard of within a lease.
   */
  assigned(partition: number, signal: AbortSignal): Promise<void>
  /** Takes in records of one partition: when it resolves, all that came of them is on the log. */
  readonly handle: BatchHandler
  /** A record that is no signal takes its place in the log all the same. */
  buried(record: IncomingRecord): void
  /** Lets log time go on where somebody is known. */
  keepTime(partition: number): Promise<void>
}

interface Owned {
  readonly state: Partition
  /** Taken in, and not on the log yet: the log did not take it, and the same records come again. */
  untold: PresenceEvent[]
}

/** Signals in, states kept per partition in memory, what changed out. */
export function signalProcessor(
  publisher: Publisher,
  memory: Memory,
  /** The latest records of a partition, of about the length of a lease, in order; none when they cannot be had. */
  latest: (partition: number) => Promise<readonly IncomingRecord[]>,
  bugs: Bugs = noBugs,
): SignalProcessor {
  const owned = new Map<number, Owned>()
  const states = new Map<number, Partition>()
  const counts = { told: 0 }

  return {
    partitions: states,
    counts,
    async assigned(partition, signal) {
      const mine: Owned = { state: newPartition(), untold: [] }
      owned.set(partition, mine)
      states.set(partition, mine.state)
      signal.addEventListener('abort', () => {
        if (owned.get(partition) !== mine) return
        owned.delete(partition)
        states.delete(partition)
      })
      const everybody: PresenceEvent = { kind: 'resync', gateway: undefined, fenced: undefined }
      await orPass(tell(publisher, memory, partition, [everybody]))
      for (const record of await latest(partition)) {
        mine.untold.push(...takeIn(mine.state, tryDecode(record), bugs))
      }
      // A deliberate bug is told at once, as whoever waits for nothing would; after this, the gateways' answers are there.
      if (!bugs.has('settle-at-once')) return
      await orPass(tell(publisher, memory, partition, mine.untold))
      mine.untold = []
    },
    async handle(records, { partition }) {
      const mine = owned.get(partition)
      if (!mine) throw new PassingFault('the partition was taken away')
      // Decoded first: one that cannot be is found before any changes the state.
      for (const record of records.map(decodeSignal)) mine.untold.push(...takeIn(mine.state, record, bugs))
      await orPass(tell(publisher, memory, partition, mine.untold))
      counts.told += mine.untold.length
      mine.untold = []
    },
    buried(record) {
      const mine = owned.get(record.partition)
      mine?.untold.push(...takeIn(mine.state, placeOf(record), bugs))
    },
    async keepTime(partition) {
      const mine = owned.get(partition)
      if (mine && !isQuiet(mine.state)) await orPass(tick(publisher, partition))
    },
  }
}

/** What cannot be decoded is buried when it comes by the consumer; here it only takes its place. */
function tryDecode(record: IncomingRecord): SignalRecord {
  try {
    return decodeSignal(record)
  } catch {
    return placeOf(record)
  }
}

const placeOf = ({ offset, timestamp }: IncomingRecord): SignalRecord => ({
  offset: Number(offset),
  time: timestamp,
  signal: { kind: 'tick' },
})

async function orPass(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (cause) {
    throw new PassingFault('the log did not take the records', { cause })
  }
}

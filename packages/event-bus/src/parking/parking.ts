import type { Attempt } from '@klatsch/contracts'
import { type Scheduler, systemScheduler } from '@klatsch/streams'
import type { AttemptLog } from '../policies/attempt-log.ts'
import { PassingFault } from '../policies/fault.ts'
import { originOf } from '../policies/tiers.ts'
import type { BatchHandler, IncomingRecord, ParkingSpace } from '../types.ts'
import { type Redrive, reasonOf, redriveOf } from './redrive.ts'
import type { ParkedStore } from './store.ts'

export interface ParkingOptions<Tx> {
  readonly group: string
  readonly store: ParkedStore<Tx>
  /** Applies consecutive records to the consumer's own state in the transaction; those of a key come in order. */
  readonly handle: (records: readonly IncomingRecord[], tx: Tx) => Promise<void>
  readonly attempts?: AttemptLog
  /** Parked records at most. What would be more waits in its partition, which blocks. */
  readonly maxParked?: number
  readonly scheduler?: Scheduler
  readonly random?: () => number
}

/** A consumer that parks: its handler, the space for `ConsumerOptions.parking`, and how what is parked comes back. */
export interface Parking extends Redrive {
  readonly handler: BatchHandler
  readonly space: ParkingSpace
}

/**
 * Everything about a record happens in one transaction with the position behind it: it is applied, or parked because its key is
 * blocked, or it blocks its key. So whatever crashes, it is dealt with once, and in the order of its key.
 */
export function parking<Tx>(options: ParkingOptions<Tx>): Parking {
  const { group, store, handle, attempts, maxParked = 100_000 } = options
  const { scheduler = systemScheduler, random = Math.random } = options

  async function append(tx: Tx, records: readonly IncomingRecord[]): Promise<void> {
    if ((await store.count(tx)) + records.length > maxParked)
      throw new PassingFault(`${maxParked} records are parked, and no more may be`, { code: 'parking.full' })
    await store.append(tx, records)
  }

  const handler: BatchHandler = async (records, { topic, partition }) => {
    const lined = await store.transact(async (tx) => {
      const position = await store.position(tx, { topic, partition })
      const fresh = records.filter(({ offset }) => BigInt(offset) >= position)
      const last = fresh.at(-1)
      if (!last) return []
      const keys = [...new Set(fresh.map(({ key }) => key))].sort()
      const blocked = await store.blockedOf(tx, keys)
      const behind = fresh.filter(({ key }) => blocked.has(key))
      const free = behind.length === 0 ? fresh : fresh.filter(({ key }) => !blocked.has(key))
      if (free.length > 0) await handle(free, tx)
      if (behind.length > 0) await append(tx, behind)
      await store.advance(tx, { topic, partition }, BigInt(last.offset) + 1n)
      return behind
    })
    if (lined.length > 0) tellLined(lined)
  }

  /** One attempt for the records of a key that came together. */
  function tellLined(records: readonly IncomingRecord[]): void {
    const byKey = new Map<string, { first: IncomingRecord; count: number }>()
    for (const record of records) {
      const { first, count } = byKey.get(record.key) ?? { first: record, count: 0 }
      byKey.set(record.key, { first, count: count + 1 })
    }
    const time = new Date(scheduler.now()).toISOString()
    for (const [key, { first, count }] of byKey) {
      const { topic, partition, offset, attempts: before } = originOf(first)
      const what: Attempt = {
        ...{ kind: 'parked', time, group, topic, partition, offset, key, records: count },
        ...{ policy: 'park', attempt: before },
      }
      attempts?.note(what)
    }
  }

  return {
    handler,
    space: {
      async park(letter) {
        const { record } = letter
        await store.transact(async (tx) => {
          // Another owner of the partition may have dealt with it.
          if (BigInt(record.offset) < (await store.position(tx, record))) return
          const blocked = await store.blockedOf(tx, [record.key])
          if (!blocked.has(record.key)) await store.block(tx, record.key, reasonOf(letter))
          await append(tx, [record])
          await store.advance(tx, record, BigInt(record.offset) + 1n)
        })
      },
    },
    ...redriveOf({ group, store, handle, scheduler, random, attempts }),
  }
}

import { type Bugs, KlatschError } from '@klatsch/contracts'
import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { Log, Publisher, PublisherOptions } from '../types.ts'
import { SendFault, type Transport } from './transport.ts'
import { type Entry, type PendingBatch, singles, waitingRecords } from './waiting.ts'

/** Bytes of one request at most; below the 1 MiB that a broker takes by default. A larger record goes alone. */
const MAX_BATCH_BYTES = 900_000
const MIN_BATCH_BYTES = 16_000
const BACKOFF_MS = { base: 50, cap: 1_000 }

export interface PublisherPorts {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly random: () => number
  readonly log: Log
  readonly bugs: Bugs
}

/**
 * The publisher over any transport: one request in flight, what comes meanwhile is the next one. A batch that was
 * tried stays at the head, unchanged, until its outcome is known, however long that takes: its publishers hear
 * `server.unavailable` at their time limit, but nothing later overtakes it.
 */
export function batchingPublisher(options: PublisherOptions, ports: PublisherPorts): Publisher {
  const { transport, scheduler, log } = ports
  const maxQueued = options.maxQueued ?? 20_000
  const timeoutMs = options.timeoutMs ?? 10_000
  /** A deliberate bug: one by one, and the next before the one before is answered. */
  const hasty = ports.bugs.has('two-sends-in-flight')
  const maxWorking = hasty ? 2 : 1
  const known = new Set<string>()
  const waiting = waitingRecords()
  /** What is being sent: one batch, but for a deliberate bug. */
  const underWay = new Set<PendingBatch>()
  let queued = 0
  let maxBytes = hasty ? 1 : MAX_BATCH_BYTES
  /** Requests in flight, and those about to be. */
  let working = 0
  let closed = false
  let cancelTimer: (() => void) | undefined
  const stop = new AbortController()
  let drained: (() => void) | undefined

  function settle(entry: Entry, error?: KlatschError): void {
    if (entry.settled) return
    entry.settled = true
    if (error) entry.reject(error)
    else entry.resolve()
  }

  /** Refuses what of an entry is not in a batch yet; what is in one goes its way. */
  function refuse(entry: Entry, error: KlatschError): void {
    settle(entry, error)
    const left = entry.records.length - entry.taken
    entry.taken += left
    entry.open -= left
    queued -= left
  }

  /** Every entry that has not heard yet, oldest first. */
  function* unsettled(): Generator<Entry> {
    for (const { shares } of underWay) for (const { entry } of shares) if (!entry.settled) yield entry
    for (const entry of waiting) if (!entry.settled) yield entry
  }

  function watchDeadlines(): void {
    if (cancelTimer) return
    const { value: oldest } = unsettled().next()
    if (!oldest) return
    cancelTimer = scheduler.after(Math.max(1, oldest.deadline - scheduler.now()), () => {
      cancelTimer = undefined
      for (const entry of [...unsettled()]) {
        if (entry.deadline > scheduler.now()) break
        refuse(entry, unavailable('the broker did not take the records in time'))
      }
      waiting.tidy()
      watchDeadlines()
    })
  }

  /** Looks up the topic of the record at the head, where it is a new one; refuses what has none. */
  async function checkHead(): Promise<void> {
    for (;;) {
      const entry = waiting.first
      const topic = entry?.records[entry.taken]?.topic
      if (!entry || topic === undefined || known.has(topic)) return
      try {
        await transport.checkTopic(topic)
        known.add(topic)
      } catch (error) {
        refuse(entry, asUnavailable(error))
        waiting.tidy()
      }
    }
  }

  function appended(batch: PendingBatch): void {
    queued -= batch.records
    for (const { entry, count } of batch.shares) {
      entry.open -= count
      if (entry.open === 0) settle(entry)
    }
  }

  function refused(batch: PendingBatch, fault: SendFault): void {
    queued -= batch.records
    const error = fault.tooLarge
      ? new KlatschError('request.too_large', 'the broker takes no record of this size', { cause: fault })
      : new KlatschError('server.internal', `the broker refuses the record: ${fault.message}`, {
          cause: fault,
        })
    for (const { entry, count } of batch.shares) {
      entry.open -= count
      refuse(entry, error)
    }
    waiting.tidy()
  }

  /** Sends one batch until its outcome is known. False: given up, because the publisher is closing. */
  async function deliver(batch: PendingBatch): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      try {
        await transport.send(batch)
        if (attempt > 0) log.info({ attempt, records: batch.records }, 'records appended after a fault')
        appended(batch)
        return true
      } catch (error) {
        const fault = error instanceof SendFault ? error : new SendFault('identity', error)
        const fields = { attempt, records: batch.records, kind: fault.kind, error: fault.message }
        if (attempt === 0) log.warn(fields, 'records not appended; trying on')
        else log.debug(fields, 'records still not appended')
        if (fault.kind === 'record' && batch.records === 1) {
          refused(batch, fault)
          return true
        }
        if (fault.kind === 'record') {
          if (fault.tooLarge) maxBytes = Math.max(MIN_BATCH_BYTES, maxBytes >> 1)
          // Some partitions may have taken their part: with other batch borders only a new identity is safe.
          await renew()
          for (const one of singles(batch)) {
            if (!(await deliver(one))) return false
          }
          return true
        }
        if (stop.signal.aborted) return false
        if (fault.kind === 'identity') await renew()
        await pause(scheduler, backoffMs(attempt, BACKOFF_MS.base, BACKOFF_MS.cap, ports.random), stop.signal)
        if (stop.signal.aborted) return false
      }
    }
  }

  async function renew(): Promise<void> {
    for (let attempt = 0; !stop.signal.aborted; attempt++) {
      try {
        return await transport.renew()
      } catch (error) {
        log.debug({ attempt, error: String(error) }, 'no new producer yet')
        await pause(scheduler, backoffMs(attempt, BACKOFF_MS.base, BACKOFF_MS.cap, ports.random), stop.signal)
      }
    }
  }

  async function work(): Promise<void> {
    // What is published in this turn of the event loop goes out together.
    await Promise.resolve()
    for (let going = true; going; ) {
      await checkHead()
      const batch = waiting.take(maxBytes, (topic) => known.has(topic))
      if (!batch) break
      underWay.add(batch)
      going = await deliver(batch)
      underWay.delete(batch)
    }
    // In the turn in which nothing was waiting: what is published from now on starts anew.
    working--
    if (working > 0) return
    cancelTimer?.()
    cancelTimer = undefined
    drained?.()
  }

  return {
    get queued() {
      return queued
    },

    publish(records) {
      if (closed) return Promise.reject(unavailable('the publisher is closed'))
      if (records.length === 0) return Promise.resolve()
      if (queued + records.length > maxQueued) {
        return Promise.reject(new KlatschError('server.overloaded', 'too many records wait for the broker'))
      }
      queued += records.length
      return new Promise((resolve, reject) => {
        const deadline = scheduler.now() + timeoutMs
        const entry: Entry = {
          records,
          deadline,
          taken: 0,
          open: records.length,
          settled: false,
          resolve,
          reject,
        }
        waiting.push(entry)
        watchDeadlines()
        if (working < maxWorking) {
          working++
          void work()
        }
      })
    },

    async close() {
      if (closed) return
      closed = true
      if (working > 0) {
        const all = new Promise<void>((resolve) => {
          drained = resolve
        })
        const late = new AbortController()
        await Promise.race([all, pause(scheduler, timeoutMs, late.signal)])
        late.abort()
      }
      stop.abort()
      cancelTimer?.()
      for (const entry of [...unsettled()]) settle(entry, unavailable('the publisher was closed before'))
      await transport.close()
    },
  }
}

const unavailable = (detail: string): KlatschError => new KlatschError('server.unavailable', detail)

const asUnavailable = (error: unknown): KlatschError =>
  error instanceof KlatschError
    ? error
    : new KlatschError('server.unavailable', 'the topic could not be looked up', { cause: error })

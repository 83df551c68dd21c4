import { type PresenceSession, presencePartitionOf, type Resync, topics } from '@klatsch/contracts'
import type { Publisher } from '@klatsch/event-bus'
import type { Scheduler } from '@klatsch/streams'
import { Link } from './link.ts'

/** How often the clock is looked at for beats. */
const TURN_MS = 500
const RETRY_MS = 500
/** A full set of one partition is sent once in so long, however often it is asked for. */
const RESYNC_MS = 1_000

export interface SignalsOptions {
  readonly publisher: Publisher
  /** Name of this instance. */
  readonly gateway: string
  readonly scheduler: Scheduler
  readonly warn: (fields: object, message: string) => void
}

/** Records put on the log, and those that may not have arrived. */
export interface SignalCounts {
  said: number
  failed: number
}

/** Says on `presence.signals` who is here: one publish in flight, what comes meanwhile goes together in the next. */
export interface Signals {
  put(session: PresenceSession): void
  end(session: PresenceSession, graceMs: number): void
  typing(user: string, room: string, typing: boolean): void
  ask(users: Iterable<string>): void
  resync(resync: Resync): void
  readonly counts: SignalCounts
  /** Says what is left to say. */
  close(): Promise<void>
}

export function createSignals(options: SignalsOptions): Signals {
  const { publisher, gateway, scheduler, warn } = options
  const links = Array.from(
    { length: topics.presenceSignals.partitions },
    (_, partition) => new Link(gateway, partition),
  )
  /** Full sets that were asked for: when the last one was, and what waits. */
  const resyncs = new Map<number, { at: number; waiting: boolean; fenced: number | undefined }>()
  const counts: SignalCounts = { said: 0, failed: 0 }
  let running: Promise<void> | undefined
  let again = false
  let closed = false

  const linkOf = (user: string): Link => links[presencePartitionOf(user)]!

  function flush(): void {
    again = true
    running ??= work().finally(() => {
      running = undefined
      if (again && !closed) flush()
    })
  }

  async function work(): Promise<void> {
    // What is said in this turn of the event loop goes out together.
    await new Promise<void>((resolve) => scheduler.after(0, resolve))
    while (again) {
      again = false
      const now = scheduler.now()
      const speaking: Link[] = []
      const records = links.flatMap((link) => {
        const mine = link.records(now)
        if (mine.length > 0) speaking.push(link)
        return mine
      })
      if (records.length === 0) return
      try {
        await publisher.publish(records)
        counts.said += records.length
      } catch (err) {
        counts.failed += records.length
        warn({ err }, 'presence was not told; it will be told everything')
        for (const link of speaking) link.lost()
        if (closed) return
        await new Promise<void>((resolve) => scheduler.after(RETRY_MS, resolve))
        again = true
      }
    }
  }

  let cancelTurn = scheduler.after(TURN_MS, turn)
  function turn(): void {
    for (const link of links) link.release(scheduler.now())
    flush()
    cancelTurn = scheduler.after(TURN_MS, turn)
  }

  return {
    counts,
    put(session) {
      linkOf(session.user).put(session, scheduler.now())
      flush()
    },
    end({ user, session }, graceMs) {
      linkOf(user).end(session, graceMs, scheduler.now())
      flush()
    },
    typing(user, room, typing) {
      linkOf(user).typing({ user, room, typing })
      flush()
    },
    ask(users) {
      for (const user of users) linkOf(user).ask(user)
      flush()
    },
    resync({ partition, gateway: wanted, fenced }) {
      const link = links[partition]
      if (!link || (wanted !== undefined && wanted !== gateway)) return
      const asked = resyncs.get(partition) ?? { at: Number.NEGATIVE_INFINITY, waiting: false, fenced }
      resyncs.set(partition, asked)
      asked.fenced = Math.max(asked.fenced ?? 0, fenced ?? 0)
      if (asked.waiting) return
      asked.waiting = true
      scheduler.after(Math.max(0, asked.at + RESYNC_MS - scheduler.now()), () => {
        resyncs.set(partition, { at: scheduler.now(), waiting: false, fenced: undefined })
        link.resync(asked.fenced, scheduler.now())
        flush()
      })
    },
    async close() {
      cancelTurn()
      closed = true
      again = true
      await running
      await work()
    },
  }
}

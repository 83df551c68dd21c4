import type { Scheduler } from '@klatsch/streams'
import { pause } from '@klatsch/streams'
import type { GroupConnection, GroupEvents } from '../shared/connection.ts'
import type { Group, Joined } from './group.ts'
import type { MemoryLog } from './log.ts'
import type { Network } from './network.ts'

const HEARTBEAT_MS = 1_000

export interface MemberOptions {
  readonly name: string
  readonly topics: readonly string[]
  readonly groupName: string
  readonly group: Group
  readonly log: MemoryLog
  readonly network: Network
  /** The clock of the process it lives in. */
  readonly scheduler: Scheduler
  readonly random: () => number
  readonly maxFetch: number
  /** While true, nothing it says reaches the coordinator. */
  readonly muted: () => boolean
}

interface Fetching {
  readonly topic: string
  readonly partition: number
  at: bigint
  paused: boolean
  /** A fetch is under way. */
  busy: boolean
}

/** A member of a group in the memory log: joins, beats, and fetches what was appended. */
export function memoryMember(options: MemberOptions, events: GroupEvents): GroupConnection {
  const { name, topics, group, log, network, scheduler, random } = options
  const stop = new AbortController()
  const fetching = new Map<string, Fetching>()
  let generation = 0
  let lastTurn = scheduler.now()
  const keyOf = (topic: string, partition: number) => `${topic}[${partition}]`

  const unlisten = log.onAppend((topic, partition) => {
    const one = fetching.get(keyOf(topic, partition))
    if (one) fetch(one)
  })

  function fetch(one: Fetching): void {
    if (one.busy || one.paused || stop.signal.aborted) return
    if (log.range(one.topic, one.partition).end <= one.at) return
    one.busy = true
    scheduler.after(network.latency(), () => {
      one.busy = false
      lastTurn = scheduler.now()
      if (one.paused || stop.signal.aborted || fetching.get(keyOf(one.topic, one.partition)) !== one) return
      const { begin, end } = log.range(one.topic, one.partition)
      if (one.at < begin || one.at > end) {
        events.fatal(`offset ${one.at} of ${one.topic}[${one.partition}] is out of range ${begin}..${end}`)
        return
      }
      const records = log.read(one.topic, one.partition, one.at, 1 + Math.floor(random() * options.maxFetch))
      if (records.length === 0) return
      const { topic, partition } = one
      const next = one.at + BigInt(records.length)
      const verdict = events.fetched({ topic, partition, records, next, end })
      if (verdict === 'refused') return
      one.at = next
      if (verdict === 'full') one.paused = true
      fetch(one)
    })
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await events.beforeJoin()
      if (stop.signal.aborted) return
      const joined = await network.ask<Joined>(scheduler, (answer) => group.join(name, topics, answer))
      if (stop.signal.aborted) return
      generation = joined.generation
      fetching.clear()
      for (const [topic, partitions] of Object.entries(joined.assignment)) {
        for (const partition of partitions) {
          fetching.set(keyOf(topic, partition), { topic, partition, at: 0n, paused: true, busy: false })
        }
      }
      events.joined(joined.assignment)
      await beat()
    }
  }

  /** Resolves when the group is to be joined again. */
  async function beat(): Promise<void> {
    for (;;) {
      await pause(scheduler, HEARTBEAT_MS, stop.signal)
      if (stop.signal.aborted) return
      if (options.muted()) continue
      const answer = await network.call(scheduler, () => group.heartbeat(name, generation))
      if (answer !== 'fine') return
      lastTurn = scheduler.now()
      events.heartbeat()
    }
  }

  void run()

  return {
    get lastTurn() {
      return lastTurn
    },
    fetchFrom({ topic, partition, offset }) {
      const one = fetching.get(keyOf(topic, partition))
      if (one) one.at = offset
    },
    pause(topic, partition) {
      const one = fetching.get(keyOf(topic, partition))
      if (one) one.paused = true
    },
    resume(topic, partition) {
      const one = fetching.get(keyOf(topic, partition))
      if (!one) return
      one.paused = false
      fetch(one)
    },
    commit(positions) {
      const under = generation
      return network.call(scheduler, () => {
        if (options.muted() || !group.accepts(name, under)) throw new Error('not a member of this generation')
        const committed = log.committed(options.groupName)
        for (const at of positions) committed.set(keyOf(at.topic, at.partition), at)
      })
    },
    restart: (reason) => events.fault(new Error(reason)),
    async close() {
      stop.abort()
      unlisten()
      await network.call(scheduler, () => group.leave(name))
    },
  }
}

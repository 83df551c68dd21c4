import type { Scheduler } from '@klatsch/streams'
import { SESSION_MS } from '../shared/consumer.ts'

const REBALANCE_MS = 10_000

export type Assignment = Readonly<Record<string, readonly number[]>>

export interface Joined {
  readonly generation: number
  readonly assignment: Assignment
}

/** A consumer group as its coordinator sees it: members join in rounds, silent ones are dropped after a session. */
export interface Group {
  /** Answers when the round is complete. */
  join(member: string, topics: readonly string[], answer: (joined: Joined) => void): void
  heartbeat(member: string, generation: number): 'fine' | 'rejoin' | 'unknown'
  /** Whether a commit of this member and generation still counts. */
  accepts(member: string, generation: number): boolean
  leave(member: string): void
  /** Drops a member that does not know of it yet. */
  expel(member: string): void
  /** Everyone joins again. */
  rebalance(): void
}

interface Member {
  readonly topics: readonly string[]
  /** Waiting for the round to complete. */
  answer: ((joined: Joined) => void) | undefined
  cancelExpiry: () => void
}

export function group(
  broker: Scheduler,
  random: () => number,
  partitionsOf: (topic: string) => number,
): Group {
  const members = new Map<string, Member>()
  let generation = 0
  let joining = false
  let cancelDeadline: (() => void) | undefined

  function touch(name: string): void {
    const member = members.get(name)
    if (!member) return
    member.cancelExpiry()
    member.cancelExpiry = broker.after(SESSION_MS, () => {
      // Whoever waits for the round is alive: it cannot send heartbeats.
      if (member.answer) touch(name)
      else remove(name)
    })
  }

  function remove(name: string): void {
    members.get(name)?.cancelExpiry()
    if (!members.delete(name)) return
    if (joining) completeIfAll()
    else startRound()
  }

  function startRound(): void {
    if (joining) return
    joining = true
    cancelDeadline = broker.after(REBALANCE_MS, () => {
      for (const [name, member] of [...members]) {
        if (!member.answer) {
          member.cancelExpiry()
          members.delete(name)
        }
      }
      complete()
    })
    completeIfAll()
  }

  function completeIfAll(): void {
    if ([...members.values()].every((member) => member.answer)) complete()
  }

  function complete(): void {
    joining = false
    cancelDeadline?.()
    generation++
    const order = [...members].sort(([a], [b]) => (a < b ? -1 : 1))
    const shift = Math.floor(random() * order.length)
    const assigned = new Map(order.map(([name]) => [name, {} as Record<string, number[]>]))
    for (const topic of new Set(order.flatMap(([, member]) => member.topics))) {
      const takers = order.filter(([, member]) => member.topics.includes(topic)).map(([name]) => name)
      for (let partition = 0; partition < partitionsOf(topic); partition++) {
        const taker = assigned.get(takers[(partition + shift) % takers.length]!)!
        taker[topic] ??= []
        taker[topic].push(partition)
      }
    }
    for (const [name, member] of order) {
      const { answer } = member
      member.answer = undefined
      touch(name)
      answer?.({ generation, assignment: assigned.get(name)! })
    }
  }

  return {
    join(name, topics, answer) {
      members.get(name)?.cancelExpiry()
      members.set(name, { topics, answer, cancelExpiry: () => {} })
      touch(name)
      if (joining) completeIfAll()
      else startRound()
    },
    heartbeat(name, of) {
      if (!members.has(name)) return 'unknown'
      touch(name)
      return joining || of !== generation ? 'rejoin' : 'fine'
    },
    accepts: (name, of) => members.has(name) && of === generation,
    leave: remove,
    expel(name) {
      // A member that waits for the round would learn of it at once, and join again.
      if (!members.get(name)?.answer) remove(name)
    },
    rebalance: startRound,
  }
}

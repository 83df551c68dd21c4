import { userSubject } from '@klatsch/contracts'
import { SmallSet } from './small-set.ts'
import type { Subscriber } from './subscription.ts'

/** A user here, as the hub must know of it: to follow rooms joined later. */
export interface Follower extends Subscriber {
  /** A room was joined: its first event for this user is `seq`. */
  joined(subject: string, seq: number): void
}

/** The sockets of each user, by the user's own stream. */
export class Followers {
  readonly #bySubject = new Map<string, SmallSet<Follower>>()

  arrive(follower: Follower): void {
    const subject = userSubject(follower.userId)
    const same = this.#bySubject.get(subject) ?? new SmallSet()
    same.add(follower)
    this.#bySubject.set(subject, same)
  }

  depart(follower: Follower): void {
    const subject = userSubject(follower.userId)
    const same = this.#bySubject.get(subject)
    same?.delete(follower)
    if (same?.size === 0) this.#bySubject.delete(subject)
  }

  of(subject: string): Iterable<Follower> {
    return this.#bySubject.get(subject) ?? []
  }
}

import { userSubject } from '@klatsch/contracts'
import { SmallSet } from './small-set.ts'
import type { Subscriber } from './subscription.ts'

/** A socket of a user, as it must be known to what concerns all of the user's. */
export interface Follower extends Subscriber {
  /** A room was joined: its first event for this user is `seq`. */
  joined(subject: string, seq: number): void
  /** Cut, if it is of this session. */
  endSession(session: string): void
}

const NONE = new SmallSet<Follower>()

/** The sockets of each user on this gateway, those that are opening among them, by the user's own stream. */
export class Users {
  readonly #bySubject = new Map<string, SmallSet<Follower>>()

  /** Users with at least one socket. */
  get size(): number {
    return this.#bySubject.size
  }

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

  of(subject: string): Pick<SmallSet<Follower>, 'size' | typeof Symbol.iterator> {
    return this.#bySubject.get(subject) ?? NONE
  }
}

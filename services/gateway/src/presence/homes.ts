import { presenceTimes } from '@klatsch/contracts'
import type { Scheduler } from '@klatsch/streams'

/** Who left is remembered until presence has told that they did: who comes back before that is not told of again. */
const LINGER_MS = presenceTimes.handOverMs + 3_000

const nothing = () => {}

/** Which of the people with a socket here this gateway counts: those whose home it is, by what presence told last. */
export class Homes {
  readonly #gateway: string
  readonly #scheduler: Scheduler
  readonly #people = new Map<
    string,
    { sockets: number; cancel: () => void; version: number; here: boolean }
  >()

  constructor(gateway: string, scheduler: Scheduler) {
    this.#gateway = gateway
    this.#scheduler = scheduler
  }

  arrived(user: string): void {
    const known = this.#people.get(user)
    known?.cancel()
    if (known) known.sockets += 1
    else this.#people.set(user, { sockets: 1, cancel: nothing, version: -1, here: false })
  }

  departed(user: string): void {
    const known = this.#people.get(user)
    if (!known) return
    known.sockets -= 1
    if (known.sockets > 0) return
    known.cancel = this.#scheduler.after(LINGER_MS, () => this.#people.delete(user))
  }

  isHere(user: string): boolean {
    return this.#people.get(user)?.here ?? false
  }

  told(user: string, home: string | undefined, version: number): void {
    const known = this.#people.get(user)
    if (!known || known.version >= version) return
    known.version = version
    known.here = home === this.#gateway
  }
}

import type { KlatschError } from '@klatsch/contracts'
import type { Outcome, PendingCommand } from '../types.ts'

interface Mine {
  readonly command: PendingCommand
  readonly outcome: Promise<Outcome>
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: KlatschError) => void
}

/** The commands that one tab waits for, and the outbox of all tabs as the leader tells it. */
export class TabCommands {
  readonly #mine = new Map<string, Mine>()
  #outbox: readonly PendingCommand[] = []

  /** The leader's outbox, and behind it what it is not known to have. */
  get outbox(): readonly PendingCommand[] {
    const { unheard } = this
    return unheard.length === 0 ? this.#outbox : [...this.#outbox, ...unheard]
  }

  /** Commands of this tab that nobody who leads is known to have. */
  get unheard(): readonly PendingCommand[] {
    const known = new Set(this.#outbox.map((command) => command.id))
    return this.pending.filter(({ id }) => !known.has(id))
  }

  /** Commands of this tab without an outcome. */
  get pending(): readonly PendingCommand[] {
    return [...this.#mine.values()].map(({ command }) => command)
  }

  outcomeOf(id: string): Promise<Outcome> | undefined {
    return this.#mine.get(id)?.outcome
  }

  isUnheard(id: string): boolean {
    return this.#mine.has(id) && !this.#outbox.some((each) => each.id === id)
  }

  add(command: PendingCommand): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    promise.catch(() => {})
    this.#mine.set(command.id, { command, outcome: promise, resolve, reject })
    return promise
  }

  /** What the leader says is in its outbox. */
  heard(outbox: readonly PendingCommand[]): void {
    this.#outbox = outbox
  }

  accepted(outcome: Outcome): void {
    this.#settle(outcome.id)?.resolve(outcome)
  }

  refused(id: string, error: KlatschError): void {
    this.#settle(id)?.reject(error)
  }

  /** No outcome will come here any more. */
  giveUp(error: KlatschError): void {
    for (const { reject } of this.#mine.values()) reject(error)
    this.#mine.clear()
  }

  #settle(id: string): Mine | undefined {
    const mine = this.#mine.get(id)
    this.#mine.delete(id)
    this.#outbox = this.#outbox.filter((command) => command.id !== id)
    return mine
  }
}

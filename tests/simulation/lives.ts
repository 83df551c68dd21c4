import type { Session } from './wire.ts'

/** Milliseconds of virtual time, from and to. */
export interface Span {
  readonly from: number
  readonly to: number
}

interface Stay {
  readonly user: string
  readonly gateway: string
  readonly from: number
  to: number
}

/** Who was connected to which gateway in truth, and when gateways, presence and the log were not what they should be. */
export class Lives {
  readonly #now: () => number
  readonly #stays: Stay[] = []
  readonly #frozen: { gateway: string; from: number; to: number }[] = []
  readonly #unwell: { from: number; to: number }[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  /** What a socket to this gateway tells of itself. */
  session(user: string, gateway: string): Session {
    let stay: Stay | undefined
    return {
      began: () => {
        if (stay) return
        stay = { user, gateway, from: this.#now(), to: Number.POSITIVE_INFINITY }
        this.#stays.push(stay)
      },
      ended: () => {
        if (stay) stay.to = Math.min(stay.to, this.#now())
      },
    }
  }

  died(gateway: string): void {
    for (const stay of this.#stays) if (stay.gateway === gateway) stay.to = Math.min(stay.to, this.#now())
  }

  /** It hears and says nothing for so long. */
  froze(gateway: string, ms: number): void {
    this.#frozen.push({ gateway, from: this.#now(), to: this.#now() + ms })
  }

  /** All that is frozen goes on. */
  thawed(): void {
    for (const ice of this.#frozen) ice.to = Math.min(ice.to, this.#now())
  }

  /** Gateways may seem to be gone from now on: what they say does not arrive in time. */
  unwell(): void {
    this.#unwell.push({ from: this.#now(), to: Number.POSITIVE_INFINITY })
  }

  /** What is said arrives again, in so long at the latest. */
  well(inMs: number): void {
    for (const span of this.#unwell) span.to = Math.min(span.to, this.#now() + inMs)
  }

  /** Whether what gateways said about then may have come late. */
  wasUnwell({ from, to }: Span): boolean {
    return this.#unwell.some((span) => span.from < to && from < span.to)
  }

  /** When this user was here, on some gateway that ran: in order, not touching. */
  of(user: string): Span[] {
    const spans = this.#stays.filter((stay) => stay.user === user).flatMap((stay) => this.#running(stay))
    const merged: { from: number; to: number }[] = []
    for (const span of spans.sort((a, b) => a.from - b.from)) {
      const last = merged.at(-1)
      if (last && span.from <= last.to) last.to = Math.max(last.to, span.to)
      else merged.push({ ...span })
    }
    return merged
  }

  #running({ gateway, from, to }: Stay): Span[] {
    let parts: Span[] = [{ from, to }]
    for (const ice of this.#frozen) {
      if (ice.gateway !== gateway) continue
      parts = parts
        .flatMap((part) => [
          { from: part.from, to: Math.min(part.to, ice.from) },
          { from: Math.max(part.from, ice.to), to: part.to },
        ])
        .filter((part) => part.from <= part.to)
    }
    return parts
  }
}

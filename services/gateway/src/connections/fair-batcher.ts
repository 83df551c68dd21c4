import { KlatschError } from '@klatsch/contracts'

/** Collects questions into few requests, fairly: one question of each person in turn. */
export interface FairBatcher<Q, A> {
  /** Rejects with `server.overloaded` at once where too many wait, and with whatever the request failed with. */
  ask(question: Q, person: string): Promise<A>
  /** Questions that wait for a request to have room. */
  readonly waiting: number
}

interface Waiting<Q, A> {
  readonly question: Q
  readonly key: string
  readonly askers: { resolve: (answer: A) => void; reject: (error: unknown) => void }[]
}

export function fairBatcher<Q, A>(options: {
  /** One answer for each question, in their order. */
  send: (questions: readonly Q[]) => Promise<readonly A[]>
  /** Questions with the same key that wait at the same time are asked once. */
  keyOf: (question: Q) => string
  /** Questions in one request. */
  size: number
  /** Requests under way at a time; what is asked meanwhile goes with the next one. */
  requests: number
  /** Questions of one person under way at a time. */
  perPerson: number
  /** Questions waiting at a time, and of one person. */
  maxWaiting: number
  maxPerPerson: number
  /** Runs a task at the end of this turn: what is asked in one turn goes together. */
  atEndOfTurn: (task: () => void) => void
}): FairBatcher<Q, A> {
  const lines = new Map<string, Waiting<Q, A>[]>()
  const byKey = new Map<string, Waiting<Q, A>>()
  const underWay = new Map<string, number>()
  let requests = 0
  let scheduled = false

  function collect(): { readonly person: string; readonly waiting: Waiting<Q, A> }[] {
    const chosen: { person: string; waiting: Waiting<Q, A> }[] = []
    // Who still has some is put at the end, where this loop comes by again.
    for (const [person, line] of lines) {
      if (chosen.length === options.size) break
      const mine = underWay.get(person) ?? 0
      if (mine >= options.perPerson) continue
      const waiting = line.shift()!
      lines.delete(person)
      if (line.length > 0) lines.set(person, line)
      underWay.set(person, mine + 1)
      byKey.delete(waiting.key)
      chosen.push({ person, waiting })
    }
    return chosen
  }

  async function request(chosen: ReturnType<typeof collect>): Promise<void> {
    requests += 1
    try {
      const answers = await options.send(chosen.map(({ waiting }) => waiting.question))
      chosen.forEach(({ waiting }, index) => {
        for (const { resolve } of waiting.askers) resolve(answers[index]!)
      })
    } catch (error) {
      for (const { waiting } of chosen) for (const { reject } of waiting.askers) reject(error)
    } finally {
      requests -= 1
      for (const { person } of chosen) {
        const rest = underWay.get(person)! - 1
        if (rest === 0) underWay.delete(person)
        else underWay.set(person, rest)
      }
      soon()
    }
  }

  function soon(): void {
    if (scheduled || byKey.size === 0 || requests >= options.requests) return
    scheduled = true
    options.atEndOfTurn(() => {
      scheduled = false
      while (requests < options.requests) {
        const chosen = collect()
        if (chosen.length === 0) return
        void request(chosen)
      }
    })
  }

  return {
    get waiting() {
      return byKey.size
    },
    ask: (question, person) =>
      new Promise((resolve, reject) => {
        const key = options.keyOf(question)
        const same = byKey.get(key)
        if (same) {
          same.askers.push({ resolve, reject })
          return
        }
        const line = lines.get(person)
        if (byKey.size >= options.maxWaiting || (line?.length ?? 0) >= options.maxPerPerson) {
          reject(new KlatschError('server.overloaded'))
          return
        }
        const waiting: Waiting<Q, A> = { question, key, askers: [{ resolve, reject }] }
        byKey.set(key, waiting)
        if (line) line.push(waiting)
        else lines.set(person, [waiting])
        soon()
      }),
  }
}

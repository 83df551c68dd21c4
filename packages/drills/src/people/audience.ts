import { randomUUID } from 'node:crypto'
import { type DrillStep, limits } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { GHOST_MS, judge, type Passage, type Verdict } from '../judge/presence.ts'
import { pick } from '../random.ts'
import { Sitter } from './sitter.ts'

const ENTERING = 20
const CHURN_MS = 250
/** Who does not come back at once comes back when everybody must know that they are gone. */
const LATE_MS = GHOST_MS + 5_000
const AGAIN_MS = 500
/** Who leaves in the moment in which presence dies. */
const LEAVING = 20
/** Who reload their page while presence is away and comes back: one after the other, until another owner has surely rebuilt. */
const RELOADING = { people: 100, everyMs: 100, awayMs: 1_200 }
/** Everything is told by then. */
const SETTLE_MS = GHOST_MS + 2_000
const ONLINE_MS = 60_000

export interface AudienceOptions {
  readonly people: number
  /** Where observers are, and some of the people; nothing is done to it. */
  readonly safe: string
  /** Gateways to which things are done, by name. */
  readonly gateways: ReadonlyMap<string, string>
  readonly random: () => number
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}

/** People on several gateways who only are there, and observers who look at all of them. They do what a step makes people do. */
export interface Audience {
  readonly people: number
  /** A step begins; the answer is called when it is over. */
  meets(step: DrillStep): () => void
  /** From now on nobody comes or goes. Resolves when everything must have been told. */
  settle(): Promise<void>
  /** What observers were told, held against what happened. */
  verdict(): Verdict
  close(): void
}

/** Has everyone enter, and resolves when the observers see everyone. */
export async function seat(options: AudienceOptions): Promise<Audience> {
  const { people, safe, random, log, signal } = options
  const at = new Map<Sitter, string>()
  const everyone: Sitter[] = []
  const observers: Sitter[] = []
  const gateways = new Map([['', safe], ...options.gateways])
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const errands = new Set<Promise<void>>()

  const names = [...gateways.keys()]
  try {
    await enter()
  } catch (error) {
    close()
    throw error
  }
  for (const person of everyone) person.begin()
  log(`${everyone.length} people are on ${names.length} gateways, and everyone is online`)
  errand(churn())

  async function enter(): Promise<void> {
    for (let from = 0; from < people && !signal.aborted; from += ENTERING) {
      const numbers = Array.from({ length: Math.min(ENTERING, people - from) }, (_, index) => from + index)
      await Promise.all(
        numbers.map(async (number) => {
          const name = names[number % names.length]!
          const person = await Sitter.guest(safe, `p-${randomUUID().slice(0, 13)}`)
          await person.enter(gateways.get(name)!, 'entered')
          everyone.push(person)
          at.set(person, name)
        }),
      )
    }
    for (let from = 0; from < everyone.length; from += limits.watchedUsers) {
      const observer = await Sitter.guest(safe, `o-${randomUUID().slice(0, 13)}`)
      await observer.enter(safe, 'entered')
      observer.watch(everyone.slice(from, from + limits.watchedUsers).map(({ id }) => id))
      observers.push(observer)
    }
    await allOnline()
  }

  function close(): void {
    ended.abort()
    for (const person of [...everyone, ...observers]) person.close()
  }

  async function allOnline(): Promise<void> {
    const deadline = systemScheduler.now() + ONLINE_MS
    for (;;) {
      const latest = new Map<string, string>()
      for (const { told } of observers) for (const one of told) latest.set(one.user, one.state)
      const missing = everyone.filter(({ id }) => latest.get(id) !== 'online')
      if (missing.length === 0 || signal.aborted) return
      if (systemScheduler.now() > deadline)
        throw new Error(`${missing.length} people are not seen after ${ONLINE_MS / 1_000} s`)
      await pause(systemScheduler, AGAIN_MS, signal)
    }
  }

  function errand(work: Promise<void>): void {
    errands.add(work)
    void work.finally(() => errands.delete(work))
  }

  /** To another gateway than the one they were at. */
  function move(person: Sitter, why: string): Promise<void> {
    return enterOneOf(person, why, () => [...gateways.keys()].filter((name) => name !== at.get(person)))
  }

  /** Tries until one takes them. */
  async function enterOneOf(person: Sitter, why: string, names: () => readonly string[]): Promise<void> {
    while (!either.aborted) {
      const name = pick(random, names())
      try {
        await person.enter(gateways.get(name)!, why)
        at.set(person, name)
        return
      } catch {
        await pause(systemScheduler, AGAIN_MS, either)
      }
    }
  }

  async function comeLate(person: Sitter): Promise<void> {
    await pause(systemScheduler, LATE_MS, either)
    if (!either.aborted) await move(person, 'came back late')
  }

  async function reload(these: readonly Sitter[]): Promise<void> {
    for (const person of these) {
      if (either.aborted) return
      person.leave('reloaded')
      errand(
        pause(systemScheduler, RELOADING.awayMs, either).then(() =>
          enterOneOf(person, 'came back at once', () => ['']),
        ),
      )
      await pause(systemScheduler, RELOADING.everyMs, either)
    }
  }

  /** Some of those where nothing happens leave and come back, one after the other, all the time. */
  async function churn(): Promise<void> {
    const restless = everyone.filter((person) => at.get(person) === '').slice(0, Math.ceil(people / 15))
    while (!either.aborted && restless.length > 0) {
      const person = pick(random, restless)
      if (person.here) person.leave('left')
      else await person.enter(safe, 'came back').catch(() => {})
      await pause(systemScheduler, CHURN_MS, either)
    }
  }

  const of = (name: string) => everyone.filter((person) => at.get(person) === name && person.here)

  function gatewayKilled(name: string): void {
    gateways.delete(name)
    for (const [index, person] of of(name).entries()) {
      person.went('gateway killed')
      errand(index % 2 === 0 ? move(person, 'came to another gateway') : comeLate(person))
    }
  }

  return {
    people: everyone.length,
    meets(step) {
      const nothing = () => {}
      switch (step.do) {
        case 'kill':
          for (const part of step.parts) {
            if (gateways.has(part)) gatewayKilled(part)
            if (part.startsWith('presence')) {
              const there = of('')
              for (const person of there.slice(-LEAVING)) {
                person.leave('left as presence was killed')
                errand(comeLate(person))
              }
              errand(reload(there.slice(-LEAVING - RELOADING.people, -LEAVING)))
            }
          }
          return nothing
        case 'freeze': {
          const theirs = gateways.has(step.part) ? of(step.part) : []
          for (const person of theirs) person.went('gateway frozen')
          return () => {
            for (const person of theirs) person.came('gateway woken')
          }
        }
        case 'stop': {
          if (!gateways.has(step.name)) return nothing
          const theirs = of(step.name)
          gateways.delete(step.name)
          for (const person of theirs) errand(move(person, 'moved'))
          return nothing
        }
        default:
          return nothing
      }
    },
    async settle() {
      ended.abort()
      await Promise.all(errands)
      await pause(systemScheduler, SETTLE_MS, signal)
    },
    verdict() {
      const happened = new Map<string, readonly Passage[]>(everyone.map(({ id, passages }) => [id, passages]))
      return judge(
        happened,
        observers.map(({ told }) => told),
        systemScheduler.now(),
      )
    },
    close,
  }
}

// People of both kinds in rooms, and what they have seen held against what they were promised.
import { KlatschError } from '@klatsch/contracts'
import {
  check,
  createPerson,
  createRawPerson,
  makeRoomsOf,
  type Person,
  type Read,
  readHttp,
  registerAccounts,
  runLoad,
  seededRandom,
} from '@klatsch/drills'
import { pause, systemScheduler } from '@klatsch/streams'

/** Messages from the beginning. */
export interface Finding {
  readonly sent: number
  readonly acked: number
  /** What is lost, doubled, out of order or otherwise not as promised, in sentences. */
  readonly wrong: readonly string[]
}

export interface Company {
  /** Has them write so many messages a second, anyone anywhere, while that is to go on. */
  talk(perSecond: number, goesOn: (elapsedMs: number) => boolean): Promise<void>
  /**
   * Waits until every message has its outcome and everyone has every room to its end; then checks the whole history
   * from the beginning: each person's own, and what HTTP tells.
   */
  settle(timeoutMs: number): Promise<Finding>
  /** What those at our own client would have noticed so far. */
  readonly troubles: readonly string[]
  close(): Promise<void>
}

export const forMs = (ms: number) => (elapsedMs: number) => elapsedMs <= ms

/** Registers them; the first `raw` of them are bare sockets, the others our client. All are in all rooms. */
export async function gather(
  baseUrl: string,
  size: { people: number; raw: number; rooms: number },
): Promise<Company> {
  const accounts = await registerAccounts(baseUrl, size.people)
  const { rooms } = await makeRoomsOf(accounts, size.rooms, size.rooms)
  const random = seededRandom(1)
  const url = `${baseUrl.replace(/^http/, 'ws')}/ws`
  const persons: Person[] = []
  const troubles: string[] = []
  for (const [index, { username: name, actor, api, session }] of accounts.entries()) {
    const common = { name, actor, url, rooms, random: seededRandom(100 + index) }
    const token = (stale?: string) => session.token(stale)
    persons.push(
      index < size.raw
        ? createRawPerson({ ...common, baseUrl, token: () => token() })
        : await createPerson({ ...common, api, token, trouble: (what) => troubles.push(`${name}: ${what}`) }),
    )
  }

  function finding(told: readonly Read[]): Finding {
    const { sent, acked, anomalies } = check({
      sends: persons.flatMap((person) => person.sends),
      reads: [...told, ...persons.flatMap((person) => person.reads)],
      observers: persons.flatMap(({ name }) => rooms.map((room) => ({ observer: name, room, from: 1 }))),
      copies: ['http'],
    })
    return {
      sent,
      acked,
      wrong: Object.entries(anomalies).flatMap(([kind, found]) =>
        found.map(({ what }) => `${kind}: ${what}`),
      ),
    }
  }

  /** All that HTTP tells; nothing while a part of the server is away. */
  async function readAll(): Promise<Read[] | undefined> {
    try {
      return await readHttp(() => accounts[0]!.api, rooms)
    } catch (error) {
      if (error instanceof KlatschError && error.retryable) return undefined
      throw error
    }
  }

  return {
    troubles,
    talk: (perSecond, goesOn) =>
      runLoad({
        observers: persons.map((person) => ({ person, rooms })),
        ...{ perSecond, random },
        over: (elapsedMs) => !goesOn(elapsedMs),
      }),
    async settle(timeoutMs) {
      const deadline = systemScheduler.now() + timeoutMs
      for (;;) {
        const answered = persons.every((person) => person.waiting === 0)
        // Read only when nothing more is to come: what HTTP tells must be whole as well.
        const told = answered ? await readAll() : undefined
        const late = persons.filter(
          (person) => person.waiting > 0 || told?.some(({ room, seq }) => seq > person.head(room)),
        )
        if (told && late.length === 0) return finding(told)
        if (systemScheduler.now() > deadline) {
          const states = late.map(({ name, state, waiting }) => `${name}: ${state}, ${waiting} unanswered`)
          throw new Error(`not done after ${timeoutMs} ms: ${states.join('; ')}`)
        }
        await pause(systemScheduler, 250)
      }
    },
    async close() {
      await Promise.all(persons.map((person) => person.close()))
    },
  }
}

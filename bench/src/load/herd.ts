import { type FetchEvents, Following } from './following.ts'
import type { Received } from './raw-socket.ts'
import { Counting } from './talk.ts'
import { Visitor } from './visitor.ts'

/** Who comes: with a token and all their rooms; or to a bare server, which sends so many frames to whoever comes. */
export type Herd =
  | { readonly kind: 'people'; readonly tokens: readonly string[]; readonly heals: 'all' | 'page' }
  | { readonly kind: 'bare'; readonly paths: readonly string[]; readonly frames: number }

export interface HerdReport {
  /** Milliseconds for each until it was whole, since it was asked for. */
  readonly ms: number[]
  /** Sockets opened since then. */
  readonly dials: number
  /** Over all and since the beginning, summed. */
  readonly found: Following['found']
}

const PING_MS = 20_000
const WHOLE_MS = 110_000
/** A page may wait behind those of everyone else. */
const PAGE_MS = 100_000
const PAGE = 200

export interface HerdOfVisitors {
  readonly received: Received
  /** Opens so many at a time, and resolves when the last is whole. */
  join(atATime: number): Promise<HerdReport>
  /** Cuts the sockets of the first so many; they stay away. */
  cut(count: number): void
  /** From now on, each must have these seqs. Call `whole` for the end of it. */
  brace(targets: Readonly<Record<string, number>>): void
  /** Has the first so many come back, all in this moment. */
  back(count: number): void
  whole(): Promise<HerdReport>
  /** Has all stop reading, or go on. */
  stall(stalled: boolean): void
  /** Sets everyone's cursor of a stream. */
  rewind(subject: string, seq: number): void
  close(): void
}

export function gather(port: number, herd: Herd, received: Received): HerdOfVisitors {
  const visitors =
    herd.kind === 'people'
      ? herd.tokens.map((token) => {
          const talk = new Following({ token, heals: herd.heals, fetchEvents: fetcher(port, token) })
          return new Visitor({ port, path: '/ws', received }, talk)
        })
      : herd.paths.map((path) => new Visitor({ port, path, received }, new Counting(herd.frames)))
  const people = visitors.map(({ talk }) => talk).filter((talk) => talk instanceof Following)
  const pinging = setInterval(() => {
    for (const visitor of visitors) if (visitor.talk instanceof Following) visitor.send('{"type":"ping"}')
  }, PING_MS)
  let begun = performance.now()
  let dialsBefore = 0
  let waiting: Promise<unknown> = Promise.resolve()
  const dials = () => visitors.reduce((sum, visitor) => sum + visitor.dials, 0)

  function report(): HerdReport {
    const found = { doubled: 0, lost: 0, forked: 0, resets: 0, failed: 0 }
    for (const each of people) {
      for (const name of Object.keys(found) as (keyof typeof found)[]) found[name] += each.found[name]
    }
    const ms = visitors.map((visitor) => (visitor.wholeAt ?? Number.NaN) - begun)
    return { ms, dials: dials() - dialsBefore, found }
  }

  async function whole(): Promise<HerdReport> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const rest = visitors.filter((visitor) => visitor.wholeAt === undefined)
      const words = Object.entries(Object.groupBy(rest, ({ talk }) => talk.missing))
      const why = words.map(([missing, some = []]) => `${some.length} wait for ${missing}`).join(', ')
      const dialled = dials() - dialsBefore
      late.reject(new Error(`of ${visitors.length} in ${WHOLE_MS / 1_000} s, with ${dialled} dials: ${why}`))
    }, WHOLE_MS)
    await Promise.race([waiting, late.promise]).finally(() => clearTimeout(timer))
    return report()
  }

  function brace(targets: Readonly<Record<string, number>>): void {
    for (const { talk } of visitors) talk.expect(targets)
    begun = performance.now()
    dialsBefore = dials()
    waiting = Promise.all(visitors.map((visitor) => visitor.whole()))
  }

  return {
    received,
    whole,
    brace,
    async join(atATime) {
      brace({})
      let next = 0
      const some = async () => {
        for (let visitor = visitors[next++]; visitor; visitor = visitors[next++]) {
          const joined = visitor.whole()
          visitor.dial()
          await joined
        }
      }
      waiting = Promise.all(Array.from({ length: atATime }, some))
      return whole()
    },
    cut(count) {
      for (const visitor of visitors.slice(0, count)) visitor.cut()
    },
    back(count) {
      for (const visitor of visitors.slice(0, count)) visitor.dial()
    },
    stall(stalled) {
      for (const visitor of visitors) {
        if (stalled) visitor.pause()
        else visitor.resume()
      }
    },
    rewind(subject, seq) {
      for (const each of people) each.cursors.set(subject, { seq, chain: undefined })
    },
    close() {
      clearInterval(pinging)
      for (const visitor of visitors) visitor.leave()
    },
  }
}

function fetcher(port: number, token: string): FetchEvents {
  return async (subject, after) => {
    const path = `/api/rooms/${subject.slice('room:'.length)}/events?after=${after}&limit=${PAGE}`
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(PAGE_MS),
    })
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
    return eventsIn(await answer.text())
  }
}

const BEGIN = '{"specversion":'

/** The texts of the events in `{"items":[…],"head":…}`. What parts them cannot be in what people wrote: quotes are escaped there. */
function eventsIn(page: string): string[] {
  const from = page.indexOf(BEGIN)
  if (from < 0) return []
  const rests = page.slice(from + BEGIN.length, page.lastIndexOf(']')).split(`,${BEGIN}`)
  return rests.map((rest) => BEGIN + rest)
}

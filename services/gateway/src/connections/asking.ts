import { KlatschError, limits, type StreamTip } from '@klatsch/contracts'
import { fairBatcher } from './fair-batcher.ts'
import { type FeedEvent, feedEventOfText } from './feed-event.ts'
import type { ChatQueries, EventsPage, PageQuestion, Readable, StreamsQuestion } from './queries.ts'

/** Events of one page at most; whoever asked goes on from the last one. */
const PAGE_EVENTS = 500
/** Hellos (and follows) waiting for Postgres: more are refused, to come again later. */
const MAX_HELLOS = 10_000
const MAX_HELLOS_PER_PERSON = 1_000
const MAX_PAGES = 50_000

export interface Page {
  readonly events: readonly FeedEvent[]
  /** Where the stream ends. */
  readonly head: StreamTip
}

/**
 * What the delivery engine asks of `chat`, in as few requests as can be: what is asked in one turn, or while requests
 * are under way, goes in one. All of it may reject with a retryable `KlatschError`.
 */
export interface Asking {
  /**
   * The streams a user may read, of those asked for; one's own first, if asked for.
   * @throws KlatschError `auth.session_ended` when `session` has.
   */
  readable(user: string, follow: 'all' | readonly string[], session?: string): Promise<readonly Readable[]>
  /** The events after a seq, for somebody who catches up. */
  page(subject: string, after: number, person: string): Promise<Page>
  /** The same to fill a hole with: does not wait behind those who catch up. */
  heal(subject: string, after: number): Promise<Page>
  /** Questions waiting. */
  readonly waiting: { readonly hellos: number; readonly pages: number }
}

export function createAsking(queries: ChatQueries, atEndOfTurn: (task: () => void) => void): Asking {
  const hellos = fairBatcher<StreamsQuestion, readonly Readable[] | 'ended'>({
    send: (questions) => queries.streams(questions),
    keyOf: ({ user, follow, session = '' }) =>
      `${user} ${session} ${follow === 'all' ? follow : follow.join(' ')}`,
    size: 100,
    requests: 2,
    perPerson: 4,
    maxWaiting: MAX_HELLOS,
    maxPerPerson: MAX_HELLOS_PER_PERSON,
    atEndOfTurn,
  })
  const pagesBy = (bounds: { size: number; requests: number; perPerson: number }) =>
    fairBatcher<PageQuestion, Page | Error>({
      send: async (questions) => (await queries.events(questions)).map(readPage),
      keyOf: ({ subject, after }) => `${subject} ${after}`,
      ...bounds,
      maxWaiting: MAX_PAGES,
      maxPerPerson: limits.cursorsPerHello,
      atEndOfTurn,
    })
  const resumes = pagesBy({ size: 32, requests: 2, perPerson: 16 })
  const holes = pagesBy({ size: 32, requests: 2, perPerson: Number.POSITIVE_INFINITY })

  async function page(lane: typeof resumes, subject: string, after: number, person: string): Promise<Page> {
    const answer = await lane.ask({ subject, after, limit: PAGE_EVENTS }, person)
    if (answer instanceof Error) throw answer
    return answer
  }

  return {
    get waiting() {
      return { hellos: hellos.waiting, pages: resumes.waiting + holes.waiting }
    },
    async readable(user, follow, session) {
      const answer = await hellos.ask({ user, follow, ...(session === undefined ? {} : { session }) }, user)
      if (answer === 'ended') throw new KlatschError('auth.session_ended')
      return answer
    },
    page: (subject, after, person) => page(resumes, subject, after, person),
    heal: (subject, after) => page(holes, subject, after, ''),
  }
}

/** Read once for all who asked. One that cannot be read is the fault of nobody who asked with it. */
function readPage({ items, head }: EventsPage): Page | Error {
  try {
    return { events: items.map(feedEventOfText), head }
  } catch (cause) {
    return new Error('events that cannot be read', { cause })
  }
}

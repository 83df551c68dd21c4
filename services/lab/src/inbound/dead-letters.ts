import { deadLetterHeaders, dlqOf, type LabDlq, type LabDlqQuery, topics } from '@klatsch/contracts'
import { commandNameOf, kindsOf, letterOf, nameKey } from '../domain/letters.ts'
import { inTime, type LogRecord } from '../domain/record.ts'
import type { Letter } from '../domain/redrive.ts'
import type { ChatQueries } from '../outbound/chat-queries.ts'
import type { ReadTopic } from '../outbound/topic-reader.ts'

/** The latest so many dead letters of a topic are looked at. */
const MAX_LETTERS = 10_000
const MAX_BYTES = 64 * 1024 * 1024

const dlqs = Object.values(topics)
  .map(({ name }) => name)
  .filter((name) => name.endsWith(dlqOf('')))

export interface DeadLetters {
  look(query: LabDlqQuery): Promise<LabDlq>
  /** In the order of their times. `complete` is false when there were more than could be read. */
  letters(
    query: Omit<LabDlqQuery, 'limit'>,
  ): Promise<{ readonly letters: readonly Letter[]; readonly complete: boolean }>
}

/** What went to the dead letters, why, and what became of it since. */
export function deadLetterLook(read: ReadTopic, chat: ChatQueries): DeadLetters {
  const letters: DeadLetters['letters'] = async ({ topic, code, key }) => {
    const fits = (record: LogRecord) =>
      (code === undefined || record.headers[deadLetterHeaders.code] === code) &&
      (key === undefined || record.key === key)
    const found = await Promise.all(
      (topic === undefined ? dlqs : [topic]).map((name) =>
        read({
          topic: name,
          from: { kind: 'last', count: MAX_LETTERS },
          matches: fits,
          limit: MAX_LETTERS,
          which: 'newest',
          maxScanned: MAX_LETTERS * 12,
          maxBytes: MAX_BYTES,
        }),
      ),
    )
    const records = found.flatMap((each) => each.records).sort(inTime)
    const names = new Map(
      records.flatMap((record) => {
        const name = commandNameOf(record)
        return name ? [[nameKey(name), name] as const] : []
      }),
    )
    const outcomes = await chat.outcomes([...names.values()])
    const states = new Map(outcomes.map((outcome) => [nameKey(outcome), outcome.state]))
    return {
      letters: records.map((record) => ({ record, letter: letterOf(record, states) })),
      complete: found.every(({ next }) => next === undefined),
    }
  }
  return {
    letters,
    async look({ limit, ...query }) {
      const { letters: found, complete } = await letters(query)
      const items = found.map(({ letter }) => letter)
      return { kinds: kindsOf(items), items: items.slice(-limit), complete }
    },
  }
}

import type { FaultPoint } from '@klatsch/service-kit'
import type { ChatQueries } from '../connections/queries.ts'

/** Questions to chat that meet the faults of a point first. Each is about many rooms and people at once. */
export function faultyQueries(queries: ChatQueries, point: FaultPoint): ChatQueries {
  const met = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (point.armed) await point.strike([{}])
    return ask()
  }
  return {
    streams: (questions) => met(() => queries.streams(questions)),
    heads: (subjects) => met(() => queries.heads(subjects)),
    events: (pages) => met(() => queries.events(pages)),
  }
}

import { headers } from '@klatsch/contracts'
import type { FaultPoint, FaultTarget, Verdict } from './point.ts'

/** A record on its way to or from the log. */
export interface FaultyRecord {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
}

/** Records that wait at one point at most; what comes above it is not held. */
const MAX_HELD = 10_000

const targetOf = (record: FaultyRecord): FaultTarget => ({
  room: record.key,
  person: record.headers[headers.actor],
  session: record.headers[headers.session],
})

const copiesOf = <R>(record: R, { copies }: Verdict): R[] => new Array<R>(1 + copies).fill(record)

/** @throws KlatschError that of the first that fails */
function judgeAll<R extends FaultyRecord>(point: FaultPoint, records: readonly R[]) {
  const judged = records.map((record) => ({ record, verdict: point.judge(targetOf(record)) }))
  const failed = judged.find(({ verdict }) => verdict?.error)
  return { judged, error: failed?.verdict?.error }
}

/**
 * A publisher that meets the faults of a point. What is delayed is waited for, as of a slow broker; what is dropped or
 * reordered is said to be published all the same: that is the lie to be found out.
 */
export function faultyPublisher<
  R extends FaultyRecord,
  P extends { publish(records: readonly R[]): Promise<void> },
>(publisher: P, point: FaultPoint): P {
  async function publish(records: readonly R[]): Promise<void> {
    const { judged, error } = judgeAll(point, records)
    if (error) throw error
    const now: R[] = []
    const later: Promise<void>[] = []
    for (const { record, verdict } of judged) {
      if (!verdict) now.push(record)
      else if (verdict.drop) continue
      else if (!verdict.wait) now.push(...copiesOf(record, verdict))
      else {
        const late = verdict.wait().then(() => publisher.publish(copiesOf(record, verdict)))
        if (verdict.loose) late.catch(() => {})
        else later.push(late)
      }
    }
    if (now.length > 0) later.push(publisher.publish(now))
    await Promise.all(later)
  }
  const faulty: P = Object.create(publisher)
  return Object.assign(faulty, {
    publish: (records: readonly R[]) => (point.armed ? publish(records) : publisher.publish(records)),
  })
}

/**
 * A batch handler that meets the faults of a point. The batch waits for its slowest record; what is reordered comes
 * last in it.
 */
export function faultyHandler<R extends FaultyRecord, C extends { readonly signal: AbortSignal }>(
  handler: (records: readonly R[], context: C) => Promise<void>,
  point: FaultPoint,
): (records: readonly R[], context: C) => Promise<void> {
  async function handle(records: readonly R[], context: C): Promise<void> {
    const { judged, error } = judgeAll(point, records)
    const waits = judged.flatMap(({ verdict }) => (verdict?.loose ? [] : (verdict?.wait?.() ?? [])))
    await Promise.race([Promise.all(waits), aborted(context.signal)])
    if (error) throw error
    const kept = judged.filter(({ verdict }) => !verdict?.drop)
    const early = kept.filter(({ verdict }) => !verdict?.loose)
    const late = kept.filter(({ verdict }) => verdict?.loose)
    const meant = [...early, ...late].flatMap(({ record, verdict }) =>
      verdict ? copiesOf(record, verdict) : [record],
    )
    if (meant.length > 0) await handler(meant, context)
  }
  return (records, context) => (point.armed ? handle(records, context) : handler(records, context))
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/**
 * Lets records pass a point without waiting: answers those that pass now, in order; what is held comes to `later` when
 * its time has come.
 */
export function recordsPassing<R extends FaultyRecord>(
  point: FaultPoint,
  later: (records: readonly R[]) => void,
): (records: readonly R[]) => readonly R[] {
  let held = 0
  function pass(record: R): readonly R[] {
    const verdict = point.judge(targetOf(record))
    if (!verdict) return [record]
    if (verdict.drop) return []
    if (!verdict.wait || held >= MAX_HELD) return copiesOf(record, verdict)
    held += 1
    void verdict.wait().then(() => {
      held -= 1
      later(copiesOf(record, verdict))
    })
    return []
  }
  return (records) => (point.armed ? records.flatMap(pass) : records)
}

import { isErrorCode } from '@klatsch/contracts'
import { onOtherTab, readLocal, writeLocal } from '../lib/local.ts'
import type { Sending } from '../state/sending.ts'
import type { Store } from '../state/store.ts'

const seenKey = (userId: string): string => `klatsch.seen.${userId}`
const failedKey = (userId: string): string => `klatsch.failed.${userId}`

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Room → messageNo, as this device remembers it. */
export const seenBefore = (userId: string): Readonly<Record<string, number>> =>
  numbersIn(readLocal(seenKey(userId)))

function numbersIn(value: unknown): Record<string, number> {
  const entries = isRecord(value) ? Object.entries(value) : []
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && Number(entry[1]) >= 0,
    ),
  )
}

function failedIn(value: unknown): readonly Sending[] {
  return (Array.isArray(value) ? value : []).flatMap((item: unknown): Sending[] => {
    if (!isRecord(item)) return []
    const { id, room, text, at, code, detail } = item
    if (
      typeof id !== 'string' ||
      typeof room !== 'string' ||
      typeof text !== 'string' ||
      typeof at !== 'number'
    )
      return []
    return [
      {
        id,
        room,
        text,
        at,
        state: 'failed',
        ...(isErrorCode(code) ? { code } : {}),
        ...(typeof detail === 'string' ? { detail } : {}),
      },
    ]
  })
}

/**
 * Keeps what was read and what failed beyond this page, for this and the other tabs: read marks only grow,
 * and a refused message stays until its author retries or discards it. The answer ends it.
 */
export function keepLocally(store: Store): () => void {
  const userId = store.get().me.id
  const failedOf = (sending: readonly Sending[]) => sending.filter((message) => message.state === 'failed')

  const failed = failedIn(readLocal(failedKey(userId)))
  if (failed.length > 0) store.dispatch({ type: 'failed-before', failed })
  let { seen, sending } = store.get()

  const stops = [
    store.subscribe(() => {
      const now = store.get()
      if (now.seen !== seen) {
        seen = now.seen
        const merged = numbersIn(readLocal(seenKey(userId)))
        for (const [room, no] of Object.entries(seen)) merged[room] = Math.max(no, merged[room] ?? 0)
        writeLocal(seenKey(userId), merged)
      }
      if (now.sending !== sending) {
        const before = failedOf(sending)
        const after = failedOf(now.sending)
        sending = now.sending
        if (before.length === after.length && before.every((message, index) => message === after[index]))
          return
        // Only this tab's own changes are made: the other tabs' messages stay.
        const dropped = new Set(
          before.filter((message) => !after.includes(message)).map((message) => message.id),
        )
        const had = new Set(after.map((message) => message.id))
        const others = failedIn(readLocal(failedKey(userId))).filter(
          ({ id }) => !dropped.has(id) && !had.has(id),
        )
        const all = [...others, ...after]
        writeLocal(failedKey(userId), all.length > 0 ? all : undefined)
      }
    }),
    onOtherTab(seenKey(userId), (value) => store.dispatch({ type: 'seen', seen: numbersIn(value) })),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

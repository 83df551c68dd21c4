import type { ErrorCode, EventData, EventType } from '@klatsch/contracts'

/** What a decision says happened; its place in the stream is given to it afterwards. */
export type NewEvent = { [T in EventType]: { readonly type: T; readonly data: EventData<T> } }[EventType]

/** Accepted without events: it was so already. */
export type Decision =
  | { readonly kind: 'accepted'; readonly events: readonly NewEvent[] }
  | { readonly kind: 'rejected'; readonly code: ErrorCode; readonly detail?: string }

export const accepted = (...events: NewEvent[]): Decision => ({ kind: 'accepted', events })

export const rejected = (code: ErrorCode, detail?: string): Decision =>
  detail === undefined ? { kind: 'rejected', code } : { kind: 'rejected', code, detail }

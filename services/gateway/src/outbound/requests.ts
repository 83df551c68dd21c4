import { type ErrorCode, errorCodes, headers, isErrorCode, type Reply } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'

export type Outcome =
  | {
      readonly state: 'accepted'
      readonly subject: string
      readonly seq: number
      /** The record of the (first) event it brought about, where that is what answered. */
      readonly record?: IncomingRecord
    }
  | { readonly state: 'refused'; readonly code: ErrorCode; readonly detail: string }
  /** No answer in time: it may yet be decided either way. */
  | { readonly state: 'unknown'; readonly code: ErrorCode; readonly detail: string }

interface Request {
  readonly actor: string
  readonly commandId: string
  readonly deadline: number
  /** The command is on the log: it will have an outcome. */
  onLog: boolean
  readonly answer: (outcome: Outcome) => void
}

/** Commands of this gateway that wait for their outcome. Bounded: what does not fit is refused as overload. */
export interface Requests {
  /** Answers the request's id, or undefined when too many are waiting. */
  open(actor: string, commandId: string, answer: (outcome: Outcome) => void): string | undefined
  /** Its command is on the log now. */
  appended(requestId: string): void
  fail(requestId: string, code: ErrorCode): void
  /** An event or a reply went by: whose answer is it? */
  takeEvent(record: IncomingRecord): void
  takeReply(requestId: string | undefined, reply: Reply): void
  /** Answers what has waited too long: `server.timeout` only of what is on the log. To be called about once a second. */
  expire(): void
  readonly waiting: number
}

export function createRequests(options: {
  instance: string
  timeoutMs: number
  max: number
  now: () => number
}): Requests {
  // Insertion order is deadline order: all wait equally long.
  const requests = new Map<string, Request>()
  let next = 0

  function settle(id: string, outcome: Outcome): void {
    const request = requests.get(id)
    if (!request) return
    requests.delete(id)
    request.answer(outcome)
  }

  const unknown = (code: ErrorCode): Outcome => ({ state: 'unknown', code, detail: errorCodes[code].title })

  return {
    get waiting() {
      return requests.size
    },
    open(actor, commandId, answer) {
      if (requests.size >= options.max) return undefined
      next += 1
      const id = next.toString(36)
      const deadline = options.now() + options.timeoutMs
      requests.set(id, { actor, commandId, deadline, onLog: false, answer })
      return id
    },
    appended(id) {
      const request = requests.get(id)
      if (request) request.onLog = true
    },
    fail: (id, code) => settle(id, unknown(code)),
    takeEvent(record) {
      if (requests.size === 0) return
      const replyTo = record.headers[headers.replyTo]
      if (replyTo !== undefined && replyTo !== options.instance) return
      const accepted: Outcome = {
        state: 'accepted',
        subject: record.key,
        seq: Number(record.headers[headers.seq]),
        record,
      }
      const id = record.headers[headers.requestId]
      if (id !== undefined) {
        settle(id, accepted)
        return
      }
      // Published by the sweep after a crash, without the headers of the command: look for who waits for it.
      const causationId = record.headers[headers.causationId]
      const actor = record.headers[headers.actor]
      for (const [each, request] of requests) {
        if (request.commandId === causationId && request.actor === actor) settle(each, accepted)
      }
    },
    takeReply(id, reply) {
      if (id === undefined) return
      if (reply.state === 'accepted' && reply.subject !== undefined && reply.seq !== undefined) {
        settle(id, { state: 'accepted', subject: reply.subject, seq: reply.seq })
        return
      }
      const fallback: ErrorCode =
        reply.state === 'held'
          ? 'command.held'
          : reply.state === 'cancelled'
            ? 'command.cancelled'
            : 'command.invalid'
      const code = isErrorCode(reply.code) ? reply.code : fallback
      settle(id, { state: 'refused', code, detail: reply.detail ?? errorCodes[code].title })
    },
    expire() {
      const now = options.now()
      for (const [id, request] of requests) {
        if (request.deadline > now) return
        settle(id, unknown(request.onLog ? 'server.timeout' : 'server.unavailable'))
      }
    },
  }
}

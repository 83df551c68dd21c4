import { type ClientFrame, clientFrameSchema, type ServerFrame, type StreamEvent } from '@klatsch/contracts'
import type { WebSocketLike } from '../src/types.ts'

export const USER = '00000000-0000-4000-8000-000000000001'

export type CommandFrame = Extract<ClientFrame, { type: 'command' }>

/** One socket as the server sees it. Every frame of the client must be one of the protocol. */
export class FakeSocket implements WebSocketLike {
  onopen: WebSocketLike['onopen'] = null
  onmessage: WebSocketLike['onmessage'] = null
  onclose: WebSocketLike['onclose'] = null
  onerror: WebSocketLike['onerror'] = null
  readonly received: ClientFrame[] = []
  readonly url: string
  readonly protocol: string
  closedByClient = false
  answersPings = true

  constructor(url: string, protocol: string) {
    this.url = url
    this.protocol = protocol
  }

  send(data: string): void {
    const frame = clientFrameSchema.parse(JSON.parse(data))
    this.received.push(frame)
    if (frame.type === 'ping' && this.answersPings) this.tell({ type: 'pong' })
  }

  close(): void {
    this.closedByClient = true
  }

  open(): void {
    this.onopen?.({} as never)
  }

  /** Sends a frame, an event, or whatever else. */
  tell(frame: ServerFrame | StreamEvent | object): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }

  raw(data: unknown): void {
    this.onmessage?.({ data })
  }

  cut(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason })
  }

  welcome(streams: { subject: string; first?: number; head: number }[] = []): void {
    this.tell({
      type: 'welcome',
      session: 's',
      user: { id: USER, username: 'ada', displayName: 'Ada', guest: false, admin: false },
      streams: streams.map(({ subject, first = 1, head }) => ({ subject, first, head })),
      limits: {
        frameBytes: 65_536,
        messageChars: 8_000,
        commandsPerSecond: 50,
        pingMs: 25_000,
        resumeEvents: 1_000,
      },
    })
  }

  of<T extends ClientFrame['type']>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.received.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type)
  }

  get commands(): CommandFrame[] {
    return this.of('command')
  }

  ack(command: CommandFrame, seq = 1): void {
    this.tell({ type: 'ack', id: command.id, subject: command.subject ?? 'room:new', seq })
  }

  refuse(command: { id: string }, code: string, retryable: boolean, retryAfterMs?: number): void {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
    this.tell({ type: 'error', id: command.id, code, detail: 'no', retryable, ...wait })
  }
}

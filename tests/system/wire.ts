import type { ClientFrameInput, ServerFrame, StreamEvent, WelcomeFrame } from '@klatsch/contracts'
import { expect, inject } from 'vitest'
import { WebSocket } from 'ws'

const TIMEOUT_MS = 20_000

/** What the server sent: a frame, or an event of a stream. */
export type Received = (ServerFrame | StreamEvent) & Record<string, unknown>

/** A bare socket: JSON in, JSON out, everything that came kept. */
export interface Wire {
  readonly received: Received[]
  /** The text of each frame, as it came. */
  readonly texts: string[]
  readonly closed: Promise<{ code: number; reason: string }>
  send(frame: object): void
  raw(data: string | Buffer): void
  /** The first frame that matches, among those that came and those to come. */
  first(match: (frame: Received) => boolean): Promise<Received>
  type<T extends ServerFrame['type']>(type: T): Promise<Extract<ServerFrame, { type: T }>>
  /** The answer to a command: an ack or an error that names it. `nth`: of several. */
  answer(id: string, nth?: number): Promise<Extract<ServerFrame, { type: 'ack' | 'error' }>>
  events(subject: string): StreamEvent[]
  /** Sends a ping and waits for its pong: what was sent before has been read. */
  roundTrip(): Promise<void>
  close(): void
}

const open = new Set<Wire>()

/** Closes all that were opened so far: for after each test. */
export function closeWires(): void {
  for (const wire of open) wire.close()
  open.clear()
}

export async function dial(options: { origin?: string; url?: string } = {}): Promise<Wire> {
  const socket = new WebSocket(options.url ?? inject('stack').wsUrl, 'klatsch.v1', {
    ...(options.origin === undefined ? {} : { origin: options.origin }),
  })
  const received: Received[] = []
  const texts: string[] = []
  const watchers = new Set<() => void>()
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  socket.on('message', (data) => {
    texts.push(String(data))
    received.push(JSON.parse(String(data)))
    for (const watcher of watchers) watcher()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})

  function until<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer)
        watchers.delete(check)
        settle()
      }
      const check = () => {
        const found = look()
        if (found !== undefined) done(() => resolve(found))
      }
      const fail = (why: string) =>
        done(() => reject(new Error(`${why} while waiting for ${what}; last: ${texts.slice(-3)}`)))
      const timer = setTimeout(() => fail('nothing came'), TIMEOUT_MS)
      watchers.add(check)
      check()
      void closed.then(({ code, reason }) => fail(`closed with ${code} ${reason}`))
    })
  }

  const wire: Wire = {
    received,
    texts,
    closed,
    send: (frame) => socket.send(JSON.stringify(frame)),
    raw: (data) => socket.send(data, { binary: Buffer.isBuffer(data) }),
    first: (match) => until('a frame', () => received.find(match)),
    type: <T extends ServerFrame['type']>(type: T) =>
      until(type, () => received.find((frame) => frame.type === type)) as unknown as Promise<
        Extract<ServerFrame, { type: T }>
      >,
    answer: (id, nth = 0) =>
      until(
        `the answer to ${id}`,
        () => received.filter((f) => isAnswer(f) && f.id === id)[nth],
      ) as ReturnType<Wire['answer']>,
    events: (subject) =>
      received.filter(
        (frame): frame is Received & StreamEvent => 'specversion' in frame && frame.subject === subject,
      ),
    async roundTrip() {
      const before = received.filter((frame) => frame.type === 'pong').length
      wire.send({ type: 'ping' })
      await until('pong', () => received.filter((frame) => frame.type === 'pong')[before])
    },
    close: () => socket.close(),
  }
  open.add(wire)
  return wire
}

const isAnswer = (frame: Received): boolean => frame.type === 'ack' || frame.type === 'error'

/** A socket that said hello and was welcomed. */
export async function enter(
  token: string,
  hello: Omit<Extract<ClientFrameInput, { type: 'hello' }>, 'type' | 'token'> = {},
): Promise<Wire & { readonly welcome: WelcomeFrame }> {
  const wire = await dial()
  wire.send({ type: 'hello', token, ...hello })
  return { ...wire, welcome: await wire.type('welcome') }
}

type Command = { readonly id: string; readonly [field: string]: unknown }

/** The message command, as a frame. */
export function sendFrame(id: string, subject: string, text: string, after?: string): Command {
  const named = after === undefined ? {} : { after }
  return { type: 'command', id, command: 'chat.message.send.v1', subject, ...named, data: { text } }
}

/** Sends and expects an ack. Answers its seq. */
export async function acked(wire: Wire, frame: Command): Promise<number> {
  wire.send(frame)
  const answer = await wire.answer(frame.id)
  expect(answer).toMatchObject({ type: 'ack' })
  return (answer as { seq: number }).seq
}

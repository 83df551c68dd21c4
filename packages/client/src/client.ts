import {
  type CommandInput,
  type Cursor,
  KlatschError,
  limits,
  type PublicCommandType,
  type ServerFrame,
  type StreamEvent,
  userSubject,
} from '@klatsch/contracts'
import { systemScheduler, timerSet } from '@klatsch/streams'
import { v7 } from 'uuid'
import { serverClock } from './clock.ts'
import { Connection } from './connection.ts'
import { errorOf, type Incoming } from './incoming.ts'
import { listeners } from './listeners.ts'
import { newCommand, Outbox } from './outbox.ts'
import { Presence } from './presence.ts'
import { objection, refusedAtOnce } from './refusals.ts'
import { memoryStorage, storageWriter } from './storage.ts'
import { Streams } from './streams.ts'
import type { Client, ClientEvents, ClientOptions, Outcome, WebSocketLike } from './types.ts'
import { listenForWakeups } from './wakeups.ts'

/** Cursors are written this much later, together: an old one costs only a few events twice. */
const CURSORS_MS = 250
/** Room in a `hello` for subjects and cursors, beside the token. */
const HELLO_BYTES = limits.frameBytes - 8 * 1_024

/** Makes a client of one user. Nothing happens before `connect()`; commands may be written before it. */
export function createClient(options: ClientOptions): Client {
  const scheduler = options.scheduler ?? systemScheduler
  const random = options.random ?? Math.random
  const newId = options.newId ?? v7
  const storage = options.storage ?? memoryStorage()
  const { on, emit } = listeners<ClientEvents>()
  const timers = timerSet(scheduler)
  const clock = serverClock(() => scheduler.now())
  const writer = storageWriter(storage, (error) => emit('storageFailed', { error }))
  const moved = new Set<string>()
  let actor: string | undefined
  let connections = 0
  let moves = 0
  let wanted = false
  let stopListening: () => void = () => {}

  const connection = new Connection({
    url: options.url,
    token: options.token,
    openSocket: options.openSocket ?? standardSocket,
    scheduler,
    random,
    hello: (token, second) => ({ type: 'hello', token, ...streams.hello(HELLO_BYTES, second) }),
    ping: () => ({ type: 'ping', cursors: streams.sample() }),
    welcomed(frame) {
      connections += 1
      actor = userSubject(frame.user.id)
      emit('welcome', frame)
      streams.welcome(frame.streams)
      outbox.opened(frame.limits.commandsPerSecond)
      presence.welcome(frame.user.id)
    },
    joined(frame) {
      connections += 1
      outbox.opened(frame.limits.commandsPerSecond)
      presence.welcome(frame.user.id)
      streams.welcome(frame.streams, true)
    },
    moved() {
      moves += 1
      streams.moved()
      outbox.moved()
    },
    clock: clock.heard,
    received,
    lost() {
      outbox.closed()
      streams.closed()
      presence.closed()
    },
    changed: (state) => emit('state', state),
  })
  const outbox = new Outbox({
    scheduler,
    random,
    send: (frame) => connection.send(frame),
    changed: () => emit('outbox', outbox.pending),
    ...(options.bugs?.has('new-id-on-retry') ? { otherId: newId } : {}),
  })
  const streams = new Streams({
    follow: options.follow ?? 'all',
    mode: options.mode ?? 'full',
    scheduler,
    random,
    send: (frame) => connection.send(frame),
    caughtUp: () => connection.caughtUp(),
    tell(name, value) {
      if (name === 'event') {
        acceptedByEvent(value as StreamEvent)
        presence.event(value as StreamEvent)
      }
      emit(name, value)
    },
    moved(subject) {
      if (moved.size === 0) timers.after(CURSORS_MS, writeCursors)
      moved.add(subject)
    },
  })

  const presence = new Presence({ scheduler, send: (frame) => connection.send(frame), tell: emit })

  const loaded = storage.load().then(
    (kept) => {
      outbox.load(kept.outbox)
      streams.load(kept.cursors)
    },
    (error: unknown) => emit('storageFailed', { error }),
  )

  function received(incoming: Incoming, leaving: boolean): void {
    switch (incoming.kind) {
      case 'event':
        streams.event(incoming.event, leaving)
        return
      case 'passing':
        if (!leaving) presence.passing(incoming.event)
        return
      case 'digest':
        if (!leaving) streams.digest(incoming.event)
        return
      case 'frame':
        if (!leaving || 'id' in incoming.frame) frame(incoming.frame)
        return
      case 'other':
        return
      default:
        incoming satisfies never
    }
  }

  function frame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'ack':
        accepted({ id: frame.id, subject: frame.subject, seq: frame.seq })
        return
      case 'error':
        if (frame.id !== undefined) answered(frame.id, errorOf(frame), frame.retryable)
        else if (frame.subject !== undefined) {
          if (frame.retryable) streams.refused(frame.subject, frame.retryAfterMs ?? 0)
          else streams.unfollowed({ type: 'unfollowed', subject: frame.subject, code: frame.code })
        }
        return
      case 'reset':
        streams.reset(frame)
        return
      case 'live':
        streams.live(frame)
        return
      case 'unfollowed':
        streams.unfollowed(frame)
        return
      case 'welcome':
      case 'authed':
      case 'pong':
      case 'goaway':
        return
      default:
        frame satisfies never
    }
  }

  /** An own event is the acceptance of its command, also when the ack was lost. */
  function acceptedByEvent(event: StreamEvent): void {
    if (event.actor === actor) accepted({ id: event.causationid, subject: event.subject, seq: event.seq })
  }

  function accepted(outcome: Outcome): void {
    const command = outbox.accepted(outcome)
    if (!command) return
    writer.write({ remove: [command.id] })
    emit('accepted', { command, outcome })
  }

  function answered(id: string, error: KlatschError, retryable: boolean): void {
    if (retryable) {
      outbox.postponed(id, error)
      return
    }
    const command = outbox.refused(id, error)
    if (!command) return
    writer.write({ remove: [id] })
    emit('rejected', { command, error })
  }

  function writeCursors(): void {
    const cursors: Record<string, Cursor | null> = {}
    for (const subject of moved) cursors[subject] = streams.cursor(subject) ?? null
    moved.clear()
    writer.write({ cursors })
  }

  return {
    get state() {
      return connection.state
    },
    presence,
    get outbox() {
      return outbox.pending
    },
    get counts() {
      return { ...streams.counts, connections, moves }
    },
    get streams() {
      return streams.view
    },
    connect() {
      stopListening()
      stopListening = listenForWakeups(() => connection.wake())
      wanted = true
      void loaded.then(() => wanted && connection.connect())
    },
    async close() {
      wanted = false
      stopListening()
      connection.stop('closed')
      await loaded
      outbox.end()
      timers.clear()
      writeCursors()
      await writer.settled()
    },
    on,
    get clockOffsetMs() {
      return clock.offsetMs
    },
    now: () => Math.round(scheduler.now() + clock.offsetMs),
    command<T extends PublicCommandType>(
      type: T,
      subject: string | undefined,
      data: CommandInput<T>,
      { id = newId() }: { readonly id?: string } = {},
    ) {
      const known = outbox.outcomeOf(id)
      if (known) return { id, outcome: known }
      const command = newCommand({ id, type, subject, data, at: scheduler.now() })
      const error =
        objection(command) ?? (outbox.full ? new KlatschError('limit.rate', 'the outbox is full') : undefined)
      if (error) return { id, outcome: refusedAtOnce(error) }
      writer.write({ add: [command] })
      return { id, outcome: outbox.add(command) }
    },
    follow: (subject, how) => streams.follow(subject, how),
    unfollow: (subject) => streams.unfollow(subject),
  }
}

function standardSocket(url: string, protocol: string): WebSocketLike {
  // Handlers of less demanding types than its own: what they read of an event is there.
  return new WebSocket(url, protocol) as unknown as WebSocketLike
}

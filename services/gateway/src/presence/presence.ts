import {
  type ClientFrame,
  headers,
  KlatschError,
  type PresenceSession,
  presenceEventTypes,
  presenceTimes,
  resyncSchema,
  rosterSchema,
  streamKind,
  topics,
  userSubject,
} from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'
import { textFrame } from '../connections/text-frame.ts'
import { Audiences } from './audiences.ts'
import { Homes } from './homes.ts'
import { People } from './people.ts'
import { createSignals, type SignalCounts, type SignalsOptions } from './signals.ts'

/** States that change together are pushed together. */
const FLUSH_MS = 100
const ASK_MS = 1_000
/** A socket that goes on typing says so at most so often; one that stops and begins again, a little sooner. */
const TYPING_MS = 2_000
const TYPING_AGAIN_MS = 500
const NONE: ReadonlySet<string> = new Set()

/** What presence needs of a socket. */
export interface Watcher {
  readonly userId: string
  /** Whether passing events are to be left out for the moment. */
  readonly crowded: boolean
  readonly closed: boolean
  push(frames: Buffer): void
  /** Whether this socket follows the stream, and so may read it. */
  follows(subject: string): boolean
}

type Frame<T extends ClientFrame['type']> = Extract<ClientFrame, { type: T }>

/** What connections call. All of it works on memory and returns at once. */
export interface Presence {
  /** People on somebody's screen. */
  readonly watched: number
  readonly counts: SignalCounts
  /** Frames that a crowded socket was not sent at the time. */
  readonly dropped: number
  arrived(watcher: Watcher, session: string): void
  departed(watcher: Watcher): void
  /** @throws KlatschError when the signal is not one's own to give. */
  signal(watcher: Watcher, frame: Frame<'signal'>): void
  /** Replaces what this socket has on its screen. */
  watch(watcher: Watcher, frame: Frame<'watch'>): void
  /** The socket has room again. */
  drained(watcher: Watcher): void
  /** Takes in records of `presence.events` and `presence.audiences`, in order within a partition. */
  take(records: readonly IncomingRecord[]): void
  /** From now on sockets are closed because this gateway ends: others will have their sessions in a moment. */
  handOver(): void
  /** Says what is left to say. */
  close(): Promise<void>
}

interface Seat {
  readonly watcher: Watcher
  session: PresenceSession
  users: ReadonlySet<string>
  rooms: ReadonlySet<string>
  /** People by id and rooms by subject whose latest state this socket was not told yet. */
  dirty: Set<string> | undefined
  /** `at`: when it was last said to be going on. */
  typing: { room: string; at: number; on: boolean } | undefined
}

export interface PresenceOptions extends SignalsOptions {
  /** The time of day; the scheduler's when absent. */
  readonly wall?: () => number
  /** The users of those who follow a stream here, one for each socket. */
  readonly followers: (subject: string) => Iterable<string>
}

/** Who is here, as far as the sockets of this gateway have to do with it: says so, and tells those who want to know. */
export function createPresence(options: PresenceOptions): Presence {
  const { scheduler, gateway } = options
  const signals = createSignals(options)
  const homes = new Homes(gateway, scheduler)
  const seats = new Map<Watcher, Seat>()
  const rooms = new Map<string, Set<Seat>>()
  const waiting = new Set<Seat>()
  let flushing = false
  let dropped = 0
  let leavingMs: number = presenceTimes.graceMs
  const people = new People<Seat>(soon)
  const audiences = new Audiences({
    ...options,
    wanted: () => rooms.keys(),
    local: (room) => new Set([...options.followers(room)].filter((user) => homes.isHere(user))).size,
    changed(room) {
      for (const seat of rooms.get(room) ?? []) soon(seat, room)
    },
  })

  /** Tells a socket of that person or room with whatever else changes in this moment. */
  function soon(seat: Seat, subject: string): void {
    seat.dirty ??= new Set()
    seat.dirty.add(subject)
    waiting.add(seat)
    if (flushing) return
    flushing = true
    scheduler.after(FLUSH_MS, () => {
      flushing = false
      for (const each of waiting) tell(each)
      waiting.clear()
    })
  }

  /** Whoever is crowded is told the latest when there is room again: states in between are passed over. */
  function tell(seat: Seat): void {
    if (!seat.dirty || seat.watcher.closed) return
    if (seat.watcher.crowded) {
      dropped += seat.dirty.size
      return
    }
    const frames: Buffer[] = []
    for (const subject of seat.dirty) {
      const isRoom = seat.rooms.has(subject)
      if (isRoom && !seat.watcher.follows(subject)) continue
      const frame = isRoom ? audiences.frame(subject) : people.frame(subject)
      if (frame) frames.push(frame)
    }
    seat.dirty = undefined
    if (frames.length > 0) seat.watcher.push(Buffer.concat(frames))
  }

  function choose(seat: Seat, data: NonNullable<Frame<'signal'>['data']>): void {
    const { idle, dnd, hideLastSeen } = data
    const before = seat.session.chosen ?? { dnd: false, hideLastSeen: false }
    const chosen =
      dnd === undefined && hideLastSeen === undefined
        ? seat.session.chosen
        : {
            dnd: dnd ?? before.dnd,
            hideLastSeen: hideLastSeen ?? before.hideLastSeen,
            at: scheduler.now(),
          }
    seat.session = {
      ...seat.session,
      idle: idle ?? seat.session.idle,
      ...(chosen ? { chosen } : {}),
    }
    signals.put(seat.session)
  }

  function type(seat: Seat, room: string, on: boolean): void {
    const now = scheduler.now()
    const { typing } = seat
    const going = typing?.on === true && typing.room === room
    if (on && typing && now - typing.at < (going ? TYPING_MS : TYPING_AGAIN_MS)) return
    if (!on && !going) return
    seat.typing = { room, at: on ? now : typing!.at, on }
    signals.typing(seat.watcher.userId, room, on)
  }

  function leaveRooms(seat: Seat): void {
    for (const room of seat.rooms) {
      const there = rooms.get(room)
      there?.delete(seat)
      if (there?.size === 0) rooms.delete(room)
    }
  }

  function takeTyping(record: IncomingRecord): void {
    const room = record.headers[headers.subject] ?? ''
    const there = rooms.get(room)
    if (!there) return
    const frame = textFrame(record.value)
    for (const { watcher } of there) {
      // Typing is the first thing to be dropped; and who left the room has no business with it.
      if (watcher.userId === record.key || !watcher.follows(room)) continue
      if (watcher.crowded) dropped += 1
      else watcher.push(frame)
    }
  }

  function takeRecord(record: IncomingRecord): void {
    switch (record.headers[headers.type]) {
      case presenceEventTypes.changed:
        people.takeChanged(record)
        homes.told(record.key, record.headers[headers.home], Number(record.headers[headers.version]))
        return
      case presenceEventTypes.typing:
        takeTyping(record)
        return
      case presenceEventTypes.roster: {
        const roster = rosterSchema.safeParse(parse(record))
        if (!roster.success) return
        people.takeRoster(roster.data)
        for (const { user, home } of roster.data.users) homes.told(user, home, roster.data.version)
        return
      }
      case presenceEventTypes.resync: {
        const resync = resyncSchema.safeParse(parse(record))
        if (resync.success) signals.resync(resync.data)
        return
      }
      default:
        // Of a later version.
        return
    }
  }

  let cancelAsk = scheduler.after(ASK_MS, askAgain)
  function askAgain(): void {
    const users = people.unanswered(scheduler.now())
    if (users.length > 0) signals.ask(users)
    cancelAsk = scheduler.after(ASK_MS, askAgain)
  }

  return {
    counts: signals.counts,
    get dropped() {
      return dropped
    },
    get watched() {
      return people.size
    },
    arrived(watcher, session) {
      const mine: PresenceSession = { user: watcher.userId, session, idle: false }
      homes.arrived(watcher.userId)
      seats.set(watcher, {
        watcher,
        session: mine,
        users: NONE,
        rooms: NONE,
        dirty: undefined,
        typing: undefined,
      })
      signals.put(mine)
    },
    departed(watcher) {
      const seat = seats.get(watcher)
      if (!seat) return
      seats.delete(watcher)
      waiting.delete(seat)
      homes.departed(watcher.userId)
      for (const user of seat.users) people.unwatch(user, seat)
      leaveRooms(seat)
      signals.end(seat.session, leavingMs)
    },
    signal(watcher, { subject, signal, data = {} }) {
      const seat = seats.get(watcher)
      if (!seat) return
      switch (signal) {
        case 'presence':
          if (subject !== userSubject(watcher.userId)) {
            throw new KlatschError('auth.forbidden', 'the state of others is not yours to give')
          }
          choose(seat, data)
          return
        case 'typing':
          if (streamKind(subject) !== 'room' || !watcher.follows(subject)) {
            throw new KlatschError('room.not_found')
          }
          type(seat, subject, data.typing ?? true)
          return
      }
    },
    watch(watcher, frame) {
      const seat = seats.get(watcher)
      if (!seat) return
      const now = scheduler.now()
      const before = seat.users
      seat.users = new Set(frame.users)
      const asks: string[] = []
      for (const user of seat.users) {
        if (!before.has(user) && people.watch(user, seat, now)) asks.push(user)
      }
      for (const user of before) {
        if (seat.users.has(user)) continue
        people.unwatch(user, seat)
        seat.dirty?.delete(user)
      }
      for (const room of seat.rooms) seat.dirty?.delete(room)
      if (asks.length > 0) signals.ask(asks)
      leaveRooms(seat)
      seat.rooms = new Set(frame.rooms)
      let first = false
      for (const room of seat.rooms) {
        const there = rooms.get(room)
        if (there) there.add(seat)
        else rooms.set(room, new Set([seat]))
        first ||= there === undefined
        if (audiences.frame(room)) soon(seat, room)
      }
      if (first) audiences.want()
    },
    drained(watcher) {
      const seat = seats.get(watcher)
      if (seat) tell(seat)
    },
    take(records) {
      for (const record of records) {
        if (record.topic === topics.presenceAudiences.name) audiences.take(record)
        else takeRecord(record)
      }
    },
    handOver() {
      leavingMs = presenceTimes.handOverMs
    },
    async close() {
      cancelAsk()
      audiences.close()
      await signals.close()
    },
  }
}

function parse(record: IncomingRecord): unknown {
  try {
    return JSON.parse(record.value.toString())
  } catch {
    return undefined
  }
}

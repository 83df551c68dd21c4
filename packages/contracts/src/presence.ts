import { z } from 'zod'
import { subjectSchema, uuidSchema } from './ids.ts'
import { partitionOf, topics } from './topics.ts'

/** Times of presence, in milliseconds. Those of leases are measured in log time. */
export const presenceTimes = {
  /** A gateway is heard of at least so often, in each partition it uses. */
  beatMs: 2_000,
  /** Presence appends a tick so often to each partition in which somebody is known, so that log time goes on. */
  tickMs: 1_000,
  /** Silence of a gateway after which its sessions are over. */
  leaseMs: 7_000,
  /**
   * The most that log time goes on from one record to the next. While the log itself was away nobody could beat, so
   * that time counts against nobody.
   */
  maxStepMs: 2_000,
  /**
   * A session that ended is kept for so long: who reloads a page is not offline in between. With an owner killed at
   * the end of it (a group's session timeout, 6 s, and the rebalance) it still is no ghost for longer than 10 s.
   */
  graceMs: 2_500,
  /** The same for the sessions of a gateway that shuts down. */
  handOverMs: 7_000,
  /** Gateways say so often who looks at which rooms; what they said counts for no longer than `audienceMs`. */
  audienceEveryMs: 5_000,
  audienceMs: 15_000,
  /** Rebuilding ends after so long even when a gateway that beats did not send its full set. */
  rebuildMs: 28_000,
  /** Receivers of `typing` take it back by themselves after so long; who goes on typing says so again before. */
  typingMs: 6_000,
} as const

/** `dnd`: here, and not to be disturbed. */
export const presenceStates = ['online', 'away', 'dnd', 'offline'] as const
export type PresenceState = (typeof presenceStates)[number]

const time = z.int().nonnegative()
const count = z.int().nonnegative()
const gatewayName = z.string().min(1).max(128)
const sessionName = z.string().min(1).max(64)

/** What a person chose in one session; the latest choice among the sessions that live counts. `at`: milliseconds. */
const choiceSchema = z.object({ dnd: z.boolean(), hideLastSeen: z.boolean(), at: time })
export type PresenceChoice = z.output<typeof choiceSchema>

const sessionSchema = z.object({
  user: uuidSchema,
  session: sessionName,
  /** The person has not touched this device for a while. */
  idle: z.boolean(),
  chosen: choiceSchema.optional(),
})
export type PresenceSession = z.output<typeof sessionSchema>

/**
 * The value of a record on `presence.signals`. `gateway`: what a gateway says about its sessions in this partition; with
 * none of the lists it is a beat. `ask`: somebody wants to know the state of these users. `tick`: time goes on.
 */
export const presenceSignalSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('tick') }),
  z.object({
    kind: z.literal('gateway'),
    gateway: gatewayName,
    /** Grows with each life of the gateway in this partition; records of an earlier life count for nothing. */
    epoch: time,
    /** Counts the records of this epoch in this partition from 1. */
    n: z.int().positive(),
    /** `sessions` is this part of all that the gateway has in this partition; the last part replaces what was known. */
    full: z.object({ part: z.int().positive(), of: z.int().positive() }).optional(),
    /** Sessions that began or changed. */
    sessions: z.array(sessionSchema).optional(),
    /** Of a full set: those who left so lately that they still have some of their grace. */
    ended: z.array(z.object({ user: uuidSchema, session: sessionName, graceMs: count })).optional(),
    typing: z.array(z.object({ user: uuidSchema, room: subjectSchema, typing: z.boolean() })).optional(),
  }),
  z.object({ kind: z.literal('ask'), users: z.array(uuidSchema) }),
])
export type PresenceSignal = z.output<typeof presenceSignalSchema>
export type GatewaySignal = Extract<PresenceSignal, { kind: 'gateway' }>

/**
 * Types of passing events. `changed` and `typing` come from `presence.events` and are frames as they are: CloudEvents
 * without `seq`, of which the latest counts. `room` is made by the gateways. The others are for gateways only.
 */
export const presenceEventTypes = {
  changed: 'presence.changed.v1',
  typing: 'presence.typing.v1',
  room: 'presence.room.v1',
  roster: 'presence.roster.v1',
  resync: 'presence.resync.v1',
} as const

/**
 * `version` (the offset of the record that brought it about) grows with each change of a user: of two states, the one
 * with the larger version is the later. `lastSeen`: with `offline`, unless hidden or not known.
 */
export const presenceDataSchema = z.object({
  state: z.enum(presenceStates),
  version: count,
  lastSeen: z.iso.datetime().optional(),
})
export type PresenceData = z.output<typeof presenceDataSchema>

/** Subject is the room. `forMs`: take it back by yourself after so long. */
export const typingDataSchema = z.object({ user: uuidSchema, typing: z.boolean(), forMs: count })
export type TypingData = z.output<typeof typingDataSchema>

/** Subject is the room. Members who are here, each once. */
export const roomDataSchema = z.object({ online: count })

const passing = {
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  subject: subjectSchema,
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
}

/** An event without `seq`: nothing is kept of it, and the latest replaces the one before. */
export const passingEventSchema = z.discriminatedUnion('type', [
  z.object({ ...passing, type: z.literal(presenceEventTypes.changed), data: presenceDataSchema }),
  z.object({ ...passing, type: z.literal(presenceEventTypes.typing), data: typingDataSchema }),
  z.object({ ...passing, type: z.literal(presenceEventTypes.room), data: roomDataSchema }),
])
export type PassingEvent = z.output<typeof passingEventSchema>
export type PresenceChanged = Extract<PassingEvent, { type: typeof presenceEventTypes.changed }>
export type RoomPresence = Extract<PassingEvent, { type: typeof presenceEventTypes.room }>

/**
 * The state of many users of one partition at once. With `complete` the parts together name everyone who is there, and
 * whoever is not named, and not known by a larger version, is offline.
 */
export const rosterSchema = z.object({
  partition: count,
  version: count,
  time: z.iso.datetime(),
  complete: z.object({ part: z.int().positive(), of: z.int().positive() }).optional(),
  users: z.array(
    z.object({
      user: uuidSchema,
      state: z.enum(presenceStates),
      /** The gateway that counts this person. */
      home: gatewayName.optional(),
      lastSeen: z.iso.datetime().optional(),
    }),
  ),
})
export type Roster = z.output<typeof rosterSchema>

/**
 * Asks for the full set of what gateways have in this partition: of one by name, else of all. `fenced`: that epoch and
 * all before are over.
 */
export const resyncSchema = z.object({
  partition: count,
  gateway: gatewayName.optional(),
  fenced: time.optional(),
})
export type Resync = z.output<typeof resyncSchema>

/**
 * The value of a record on `presence.audiences`: the rooms that are on screens of this gateway, and how many people
 * whose home it is follow those rooms that are on screens anywhere. Said again every few seconds.
 */
export const audienceSchema = z.object({
  gateway: gatewayName,
  wants: z.array(subjectSchema),
  counts: z.array(z.object({ room: subjectSchema, users: count })),
})
export type Audience = z.output<typeof audienceSchema>

/** The value of a record on `presence.seen`. `at`: milliseconds. Hidden: it may be told to nobody. */
export const seenSchema = z.object({ at: time, hidden: z.boolean() })
export type Seen = z.output<typeof seenSchema>

/** Which partition of `presence.signals` knows about this user. */
export const presencePartitionOf = (user: string): number =>
  partitionOf(user, topics.presenceSignals.partitions)

const keys = Array.from({ length: topics.presenceSignals.partitions }, (_, partition) => {
  let n = 0
  while (presencePartitionOf(`partition-${n}`) !== partition) n += 1
  return `partition-${n}`
})

/** A key for records that concern a whole partition of `presence.signals`; it leads there. */
export const presencePartitionKey = (partition: number): string => keys[partition]!

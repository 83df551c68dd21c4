import { z } from 'zod'
import { bugNames } from './bugs.ts'
import { faultEffectSchema, MAX_FAULT_MS } from './faults.ts'
import { limits } from './limits.ts'
import { retryPolicySchema } from './retries.ts'

/** Drills: a scenario says what is done to a stack and what must hold all the same; a report, what came of it. */

const MAX_SECONDS = MAX_FAULT_MS / 1_000
const seconds = z.number().nonnegative().max(MAX_SECONDS)
const count = z.int().nonnegative()
/** A part of a stack, such as `chat` or `gateway-2`, or what a step of the scenario started under that name. */
const part = z.string().regex(/^[a-z]+(-[a-z0-9]+)*$/, 'must be the name of a part')

/** What can be judged; a report says what each means. */
const invariants = [
  'lost',
  'doubled',
  'outOfOrder',
  'divergent',
  'gaps',
  'unannouncedGaps',
  'chainBreaks',
  'phantom',
  'misplaced',
  'senderOrder',
  'unresolved',
  'undecided',
  'projection',
  'unsettled',
  'ghosts',
  'falseOffline',
  'unseen',
  'versionOrder',
  'troubled',
] as const
const invariantSchema = z.enum(invariants)
export type Invariant = z.output<typeof invariantSchema>

/** In most drills clients do meet errors: that is what they are for. */
const usual = invariants.filter((name) => name !== 'troubled')

const loadSchema = z.strictObject({
  /** At our own client. */
  people: count.max(1_000).default(0),
  /** At bare sockets, who know nothing but SPEC.md. */
  bare: count.max(1_000).default(0),
  /** Bare sockets in one room each, ten to an account, who take everything but a second socket for a fault. */
  strict: count.max(20_000).default(0),
  /** Programs that write and read over HTTP alone, and never send again what was taken with 202: its address must have an outcome in the end. */
  programs: count.max(100).default(0),
  /**
   * Who only are there: guests on the gateways of `instances` and the stack's own, looked at by observers. Some come and go all the
   * time; of those on a gateway that is killed half come back at once, and half when they must be known to be gone.
   */
  audience: count.max(20_000).default(0),
  rooms: z.int().min(1).max(1_000),
  /** Rooms that each account is in; all of them when absent. */
  roomsEach: z.int().min(1).max(1_000).optional(),
  /** Messages a second, by all together, for as long as the drill goes on: `seconds` at least, and until the last step is over. */
  perSecond: z.number().positive().max(20_000),
  /** Of a message, at most; it is as long by chance. */
  chars: z.int().min(10).max(limits.messageChars).default(200),
  seconds: seconds.min(1),
  /**
   * Connections of so many in a hundred clients can be spoilt: with `everyMs` one is, about so often, by being cut, silenced,
   * delayed or narrowed.
   */
  spoil: z
    .strictObject({
      percent: z.number().min(0).max(100),
      everyMs: z.int().min(10).optional(),
      /** Our client tries again ten times as soon as it would: the more connections there are to spoil. */
      hasty: z.boolean().default(false),
    })
    .optional(),
})

const instanceSchema = z.strictObject({ service: z.enum(['chat', 'gateway', 'presence']), name: part })

const faultSchema = z.strictObject({
  point: z.string().min(1).max(64),
  effect: faultEffectSchema,
  /** Rooms of the load, counted from 0; everywhere when absent. */
  rooms: z.array(count).min(1).optional(),
  percent: z.number().positive().max(100).default(100),
  first: z.int().positive().optional(),
  survivesRestart: z.boolean().default(false),
})

/** `at`: seconds after the load began, give or take `jitter`, as the seed decides. */
const step = <Name extends string, Shape extends z.ZodRawShape>(name: Name, shape: Shape) =>
  z.strictObject({ at: seconds, jitter: seconds.default(0.5), do: z.literal(name), ...shape })

const stepSchema = z.discriminatedUnion('do', [
  /** With -9, all of them at one moment; the stack starts its own again. */
  step('kill', { parts: z.array(part).min(1) }),
  /** Stopped in its tracks; then it goes on as if nothing had been. */
  step('freeze', { part, seconds }),
  /** Each gets a successor before it ends; every service when none is named. */
  step('restart', { parts: z.array(part).default([]) }),
  /** One more instance of a service, which nobody starts again. */
  step('launch', instanceSchema.shape),
  /** An instance that was launched shuts down. */
  step('stop', { name: part }),
  step('fault', { fault: faultSchema, seconds: seconds.positive() }),
  /** The way from services, all of them when none is named, to a server is spoilt, as `klatsch network` does. */
  step('network', {
    server: z.enum(['kafka', 'postgres']),
    fault: z.looseObject({ kind: z.enum(['slow', 'stall', 'half-open', 'cut', 'lost-answers']) }),
    services: z.array(part).min(1).optional(),
    seconds: seconds.positive(),
  }),
  /** Not a byte more can be written by Kafka, on whose small disk a stack of its own puts it. */
  step('fill-disk', { seconds: seconds.positive() }),
  /**
   * All that a gateway which was launched, and is no more, said of who is there in its last life comes to the log once more: as it does
   * from a mirror or a producer that starts over.
   */
  step('repeat', { name: part }),
  /** Every fault there is ends. */
  step('halt', {}),
  /** No more than so much comes through any connection that can be spoilt: those behind it read slowly. */
  step('narrow', { bytesPerSecond: z.int().min(1_000), seconds: seconds.positive() }),
  /** All connections that can be spoilt break in one moment. */
  step('cut', {}),
  /**
   * Retry policies of the laboratory's echo projection, one after the other, each in a room of its own in which nobody else talks: the
   * same messages in the same seconds, of which so many cannot be taken until all are said; then they can be, and what is parked is
   * redriven. `order`, `all`: whether this policy should keep the order of the room, and every record of it.
   */
  step('race', {
    lanes: z
      .array(z.strictObject({ policy: retryPolicySchema, order: z.boolean(), all: z.boolean() }))
      .min(1)
      .max(8),
    messages: z.int().min(10).max(10_000),
    poisoned: z.int().min(1).max(1_000),
    seconds: seconds.positive(),
  }),
  /** Commands that are held go through chat again. */
  step('redrive', {}),
])
export type DrillStep = z.output<typeof stepSchema>

const atMost = count.default(0)

export const scenarioSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be small letters, digits and hyphens'),
  title: z.string().min(1).max(80),
  /** What one sees by it, in a sentence. */
  shows: z.string().min(1).max(300),
  /** Gateway processes that a stack of its own has. */
  gateways: z.int().min(1).max(8).default(1),
  /** Megabytes of Kafka's disk in a stack of its own; the machine's disk when absent. */
  kafkaDiskMb: z.int().min(64).max(4_096).optional(),
  /** Further instances, there from the beginning, which nobody starts again. */
  instances: z.array(instanceSchema).default([]),
  load: loadSchema,
  steps: z.array(stepSchema).max(200),
  /** Deliberate bugs that the services of a stack of its own, and our client, are started with. */
  bugs: z.array(z.enum(bugNames)).default([]),
  judge: z
    .strictObject({
      invariants: z.array(invariantSchema).min(1).default(usual),
      /** Of commands, at most so many may end without an answer, refused, held. */
      unknown: atMost,
      rejected: atMost,
      held: atMost,
      /** That so many at least were held shows that the fault was there. */
      heldAtLeast: count.default(0),
      settleSeconds: seconds.default(90),
      /** Whether the log itself must have every event in its order; not so where that is what is spoilt. */
      log: z.boolean().default(true),
    })
    .prefault({}),
  seed: z.int().nonnegative().max(0xffff_ffff).optional(),
})
/** As it is written in a file. */
export type ScenarioFile = z.input<typeof scenarioSchema>
export type Scenario = z.output<typeof scenarioSchema>

const time = z.iso.datetime()
const ms = z.number().nonnegative()

/** One thing that was found, and all that tells how it came about. */
const drillWitnessSchema = z.object({
  what: z.string(),
  room: z.string().optional(),
  seq: z.int().optional(),
  actor: z.string().optional(),
  command: z.string().optional(),
  observer: z.string().optional(),
  /** When it was said. */
  saidAt: time.optional(),
  /** What was done to the stack last before that. */
  after: z.string().optional(),
  /** Its way through topics and tables. */
  way: z.array(z.object({ time, what: z.string(), by: z.string(), where: z.string().optional() })).optional(),
  /** What the services' logs say around that time. */
  logs: z.array(z.object({ part: z.string(), line: z.string() })).optional(),
})
export type DrillWitness = z.output<typeof drillWitnessSchema>

const quantiles = z.object({ count, p50: ms, p99: ms, max: ms })
export type DrillQuantiles = z.output<typeof quantiles>

export const drillReportSchema = z.object({
  scenario: scenarioSchema,
  seed: count,
  startedAt: time,
  /** From the first message said to the end of the last check. */
  tookMs: ms,
  ok: z.boolean(),
  /** Why it is not, in sentences. */
  reasons: z.array(z.string()),
  sent: count,
  acked: count,
  unknown: count,
  rejected: count,
  held: count,
  /** Events seen, by all observers together. */
  read: count,
  observers: count,
  /** What was judged, where there was something to judge it by. */
  judged: z.array(invariantSchema),
  /** What was found: how much of it, and the first of it with evidence. */
  found: z.array(
    z.object({
      invariant: invariantSchema,
      means: z.string(),
      judged: z.boolean(),
      count,
      witnesses: z.array(drillWitnessSchema),
    }),
  ),
  /**
   * What was done when. `tookMs`: until it was over (a part was back). `recoveredMs`: from then on all was answered
   * within a second again; absent where nothing took longer.
   */
  steps: z.array(
    z.object({
      atMs: ms,
      do: z.string(),
      what: z.string(),
      tookMs: ms.optional(),
      recoveredMs: ms.optional(),
      error: z.string().optional(),
    }),
  ),
  /** Of people who only are there: how many, how often observers were told of them, and after how long, by what happened. */
  presence: z
    .object({
      people: count,
      told: count,
      gone: z.record(z.string(), quantiles),
      back: z.record(z.string(), quantiles),
    })
    .optional(),
  /**
   * By policy: messages that waited, and of them parked, when the fault ended; milliseconds from then on until nothing waited; failed
   * attempts, and the most of one record; records applied after later ones, and never.
   */
  race: z
    .array(
      z.object({
        policy: z.string(),
        messages: count,
        poisoned: count,
        waiting: z.int(),
        parked: count,
        recoveredMs: ms,
        attempts: count,
        attemptsAtMost: count,
        deadLetters: count,
        late: count,
        missing: z.int(),
      }),
    )
    .optional(),
  /** Every second: what was said, answered, and seen in it. */
  series: z.array(z.object({ sent: count, acked: count, seen: count })),
  /** From saying to being answered, and to being seen by each who saw it. */
  answered: quantiles,
  seen: quantiles,
  /** From the last message said until everyone had everything; absent: never. */
  settledMs: ms.optional(),
  /** By kind: how often a client's connection was spoilt. */
  spoilt: z.record(z.string(), count),
  /** Things clients met that they could have noticed. */
  troubles: count,
  /** How often a second socket took over from a first that was asked to go elsewhere. */
  moves: count,
})
export type DrillReport = z.output<typeof drillReportSchema>

/** `POST /api/lab/drills` → 202: runs a scenario against the stack that the laboratory is part of; one at a time. */
export const newDrillSchema = z.strictObject({
  scenario: scenarioSchema,
  seed: z.int().nonnegative().max(0xffff_ffff).optional(),
})
export type NewDrill = z.output<typeof newDrillSchema>

/**
 * `GET /api/lab/drills` → `{items}`, without their reports · `GET /api/lab/drills/{id}` · `DELETE` has it clean up and end. It also ends
 * when the laboratory does. `says`: its latest word on how far it is, or why it failed. `ok`: what was promised held.
 */
export const labDrillSchema = z.object({
  id: z.uuid(),
  name: z.string(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  by: z.string(),
  startedAt: time,
  says: z.string().optional(),
  ok: z.boolean().optional(),
  report: drillReportSchema.optional(),
})
export type LabDrill = z.output<typeof labDrillSchema>

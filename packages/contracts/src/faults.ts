import { z } from 'zod'
import { actorSchema, subjectSchema, uuidSchema } from './ids.ts'

/** Faults on demand: what the laboratory tells services to get wrong, where, for whom, and for how long. */

const time = z.iso.datetime()
const count = z.int().nonnegative()

export const faultKinds = [
  'error',
  'delay',
  'drop',
  'duplicate',
  'reorder',
  'crash',
  'hang',
  'shift',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** Longest time for which a fault can be ordered, in milliseconds. */
export const MAX_FAULT_MS = 3_600_000

const MAX_SHIFT_MS = 7 * 86_400_000

export const faultEffectSchema = z.discriminatedUnion('kind', [
  /** `server.unavailable` passes for a fault that heals by itself, `server.internal` for one of the record's own. */
  z.strictObject({
    kind: z.literal('error'),
    code: z.enum(['server.internal', 'server.unavailable']).default('server.internal'),
  }),
  /** `jitterMs`: so much more at most, by chance. */
  z.strictObject({
    kind: z.literal('delay'),
    ms: z.int().min(1).max(60_000),
    jitterMs: z.int().min(0).max(60_000).default(0),
  }),
  /** It is said to be done and is not. */
  z.strictObject({ kind: z.literal('drop') }),
  z.strictObject({ kind: z.literal('duplicate'), times: z.int().min(1).max(10).default(1) }),
  /** It is held back for so long at most, by chance, while others pass. */
  z.strictObject({ kind: z.literal('reorder'), withinMs: z.int().min(1).max(10_000).default(500) }),
  /** The process ends at once, as by kill -9. */
  z.strictObject({ kind: z.literal('crash') }),
  /** Nothing goes on until the fault is over. */
  z.strictObject({ kind: z.literal('hang') }),
  /** The clock is so many milliseconds ahead, or behind where it is negative. */
  z.strictObject({ kind: z.literal('shift'), ms: z.int().min(-MAX_SHIFT_MS).max(MAX_SHIFT_MS) }),
])
export type FaultEffect = z.output<typeof faultEffectSchema>

/** Whom it meets: all that is named must fit; nothing named: everyone. */
export const faultScopeSchema = z.strictObject({
  rooms: z.array(subjectSchema).min(1).max(100).optional(),
  /** Who did it. */
  people: z.array(actorSchema).min(1).max(100).optional(),
  sessions: z.array(z.string().min(1).max(64)).min(1).max(100).optional(),
  /** Instances of the service. */
  instances: z.array(z.string().min(1).max(128)).min(1).max(100).optional(),
})
export type FaultScope = z.output<typeof faultScopeSchema>

const what = {
  /** One of the fault points of service-kit. */
  point: z.string().min(1).max(64),
  effect: faultEffectSchema,
  who: faultScopeSchema.default({}),
  percent: z.number().positive().max(100).default(100),
  /** Only the first so many times, in each instance. */
  first: z.int().positive().optional(),
  /** The same seed strikes the same hits: the n-th that the scope fits, in each instance. */
  seed: z.int().nonnegative().max(0xffff_ffff),
  /** An instance that starts while the rule stands gets it, too. */
  survivesRestart: z.boolean().default(false),
  note: z.string().max(200).default(''),
}

/** A standing order. `from` and `until` are by the clocks of the services. */
export const faultRuleSchema = z.object({
  id: uuidSchema,
  ...what,
  from: time,
  until: time,
  setAt: time,
  setBy: z.string(),
})
export type FaultRule = z.output<typeof faultRuleSchema>

/** `POST /api/lab/faults`: when it begins, and for how long it is; every fault ends by itself. */
export const newFaultSchema = z.strictObject({
  ...what,
  seed: what.seed.optional(),
  afterMs: z.int().min(0).max(MAX_FAULT_MS).default(0),
  forMs: z.int().min(1).max(MAX_FAULT_MS),
})
export type NewFault = z.output<typeof newFaultSchema>

/** The value of a record on `lab.faults`, keyed by the rule's id. */
export const faultOrderSchema = z.discriminatedUnion('order', [
  z.object({ order: z.literal('set'), rule: faultRuleSchema }),
  z.object({ order: z.literal('halt'), id: uuidSchema }),
])
export type FaultOrder = z.output<typeof faultOrderSchema>

/** `POST /internal/faults/halt` of every service: all rules set until `at` (the laboratory's clock) are over. */
export const haltFaultsBodySchema = z.strictObject({ at: time })

/**
 * The value of a record on `lab.instances`: what an instance says of itself every few seconds, and at once when its
 * rules change. `strikes`: how often each of them struck. `gone`: it shuts down.
 */
export const faultInstanceSchema = z.object({
  service: z.string(),
  instance: z.string(),
  /** Where it takes internal calls. */
  url: z.string(),
  rules: z.array(z.object({ id: uuidSchema, strikes: count })),
  gone: z.boolean(),
})
export type FaultInstance = z.output<typeof faultInstanceSchema>

const pointSchema = z.object({
  name: z.string(),
  service: z.string(),
  where: z.string(),
  effects: z.array(z.enum(faultKinds)),
  /** By what a fault can be narrowed here, besides the instance. */
  scopes: z.array(z.enum(['rooms', 'people', 'sessions'])),
})
export type FaultPointInfo = z.output<typeof pointSchema>

/** A rule as it stands. `of`: so many instances should have it; `active`: which have, and when they said so. */
export const labFaultSchema = z.object({
  rule: faultRuleSchema,
  state: z.enum(['waiting', 'active', 'over', 'halted']),
  of: count,
  active: z.array(z.object({ instance: z.string(), service: z.string(), afterMs: count, strikes: count })),
})
export type LabFault = z.output<typeof labFaultSchema>

/** `GET /api/lab/faults` */
export const labFaultsSchema = z.object({
  points: z.array(pointSchema),
  rules: z.array(labFaultSchema),
  instances: z.array(z.object({ service: z.string(), instance: z.string(), url: z.string() })),
})
export type LabFaults = z.output<typeof labFaultsSchema>

/** `POST /api/lab/faults/halt`: what each instance answered, and after how long. */
export const labHaltSchema = z.object({
  rules: count,
  instances: z.array(
    z.object({ url: z.string(), ok: z.boolean(), afterMs: count, error: z.string().optional() }),
  ),
})
export type LabHalt = z.output<typeof labHaltSchema>

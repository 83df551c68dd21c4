import { z } from 'zod'

/** What can be wrong with a connection, seen from those who talk over it. */
export const networkFaultSchema = z.discriminatedUnion('kind', [
  /** Every byte comes so much later, in order; `bytesPerSecond` is for each connection, each way. */
  z.strictObject({
    kind: z.literal('slow'),
    latencyMs: z.number().min(0).max(60_000).default(0),
    /** So much more at most, by chance. */
    jitterMs: z.number().min(0).max(60_000).default(0),
    bytesPerSecond: z.int().min(100).optional(),
  }),
  /** Nothing passes, and nobody is told; what was said meanwhile comes when it is over. */
  z.strictObject({ kind: z.literal('stall') }),
  /** What is said is lost, and nobody is told; when it is over, connections that lost something are reset. */
  z.strictObject({ kind: z.literal('half-open') }),
  /** Connections are reset, and new ones as soon as they are made. */
  z.strictObject({ kind: z.literal('cut') }),
  /** What is asked arrives, and instead of the answer comes a reset. */
  z.strictObject({ kind: z.literal('lost-answers') }),
])
export type NetworkFault = z.output<typeof networkFaultSchema>
export type NetworkFaultKind = NetworkFault['kind']

export const networkTargets = ['kafka', 'postgres'] as const
export type NetworkTarget = (typeof networkTargets)[number]

/** Longest time for which a fault can be ordered, in milliseconds. */
export const MAX_NETWORK_MS = 3_600_000

export const networkOrderSchema = z.strictObject({
  target: z.enum(networkTargets),
  fault: networkFaultSchema,
  /** It ends by itself. */
  forMs: z.int().min(1).max(MAX_NETWORK_MS),
  /** Only between these services and the target; all of them when absent. */
  services: z.array(z.string()).min(1).optional(),
  /** What chance decides by. */
  seed: z.int().min(0).max(0xffff_ffff).optional(),
})
export type NetworkOrder = z.input<typeof networkOrderSchema>

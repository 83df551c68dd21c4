import { z } from 'zod'

const count = z.int().nonnegative()

/** `GET /api/audit`: what one gateway compared since it started, and what came of it. */
export const auditSchema = z.object({
  /** Heads of streams compared with Postgres. */
  headsCompared: count,
  /** Positions of clients compared with what the gateway has. */
  checked: count,
  /** Comparisons of either kind in which the histories were not the same one. */
  diverged: count,
  /** Streams that were fetched again because something was missing or not the same. */
  healed: count,
  since: z.iso.datetime(),
})
export type Audit = z.output<typeof auditSchema>

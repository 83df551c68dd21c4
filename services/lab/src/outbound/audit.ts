import type { LabAuditEntry } from '@klatsch/contracts'
import type pg from 'pg'
import { asking } from './database.ts'

/** Who does something. */
export interface Actor {
  /** `user:<id>`, or `system:lab`. */
  readonly actor: string
  readonly name: string
}

export interface Audit {
  /** Resolves when it is written: what cannot be written down is not done. @throws KlatschError `server.unavailable` */
  write(who: Actor, action: string, detail: object): Promise<void>
  /** Latest first, those before an id when given. */
  list(before: number | undefined, limit: number): Promise<LabAuditEntry[]>
}

type Row = { id: string; time: Date; actor: string; name: string; action: string; detail: object }

export function postgresAudit(pool: pg.Pool): Audit {
  return {
    async write({ actor, name }, action, detail) {
      const text = 'INSERT INTO lab.audit (actor, name, action, detail) VALUES ($1, $2, $3, $4)'
      await asking(pool.query(text, [actor, name, action, JSON.stringify(detail)]))
    },
    async list(before, limit) {
      const text = `SELECT id, time, actor, name, action, detail FROM lab.audit
        WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`
      const { rows } = await asking(pool.query<Row>(text, [before ?? null, limit]))
      return rows.map(({ id, time, detail, ...row }) => ({
        id: Number(id),
        time: time.toISOString(),
        ...row,
        detail: { ...detail },
      }))
    },
  }
}

import { type FaultRule, faultRuleSchema } from '@klatsch/contracts'
import type pg from 'pg'
import { asking } from './database.ts'

/** The rules that were ordered, as they are kept. @throws KlatschError `server.unavailable` */
export interface FaultRules {
  /** Those whose time is not over and that were not halted. */
  open(now: Date): Promise<FaultRule[]>
  add(rule: FaultRule): Promise<void>
  halt(ids: readonly string[], at: Date): Promise<void>
}

export function postgresFaultRules(pool: pg.Pool): FaultRules {
  return {
    async open(now) {
      const text = 'SELECT rule FROM lab.fault_rules WHERE until > $1 AND halted_at IS NULL ORDER BY until'
      const { rows } = await asking(pool.query<{ rule: unknown }>(text, [now]))
      return rows.map(({ rule }) => faultRuleSchema.parse(rule))
    },
    async add(rule) {
      const text = 'INSERT INTO lab.fault_rules (id, rule, until) VALUES ($1, $2, $3)'
      await asking(pool.query(text, [rule.id, JSON.stringify(rule), rule.until]))
    },
    async halt(ids, at) {
      const text =
        'UPDATE lab.fault_rules SET halted_at = $2 WHERE id = ANY($1::uuid[]) AND halted_at IS NULL'
      await asking(pool.query(text, [ids, at]))
    },
  }
}

import { type CommandRowsAnswer, eventId, type OutcomesAnswer, streamId } from '@klatsch/contracts'
import type pg from 'pg'
import type { OutcomeKey } from '../domain/outcomes.ts'
import { plainArray, textArray } from './pg-arrays.ts'
import { answering } from './prisma.ts'

/** A command appends fewer events than this. */
const MAX_EVENTS = 16

/** What commands left behind, for whoever wants to know about one. Every call may throw `server.unavailable`. */
export interface CommandRows {
  outcomes(names: readonly OutcomeKey[]): Promise<OutcomesAnswer['outcomes']>
  /** Every row that this command left, as it is now. */
  rows(name: OutcomeKey): Promise<CommandRowsAnswer['rows']>
}

const outcomesQuery = `
  SELECT o.actor, o.id, o.subject, o.state, o.seq, o.code, o.detail, o.time
  FROM unnest($1::text[], $2::uuid[]) AS k (actor, id) JOIN command_outcomes o USING (actor, id)`

const rowsQuery = `
  WITH o AS MATERIALIZED (SELECT * FROM command_outcomes WHERE actor = $1 AND id = $2)
  SELECT 'command_outcomes' AS table, to_jsonb(o) AS row FROM o
  UNION ALL SELECT 'streams', to_jsonb(s) FROM o JOIN streams s ON s.stream = o.subject
  UNION ALL SELECT 'stream_events', to_jsonb(e) FROM o
    JOIN stream_events e ON e.stream = o.subject AND e.seq >= o.seq AND e.seq < o.seq + $4
    WHERE e.id = ANY($3::uuid[])
  UNION ALL SELECT 'messages', to_jsonb(m) FROM o
    JOIN messages m ON m.room = o.subject AND m.seq >= o.seq AND m.seq < o.seq + $4
    WHERE m.id = ANY($3::uuid[])
  UNION ALL SELECT 'rooms', to_jsonb(r) FROM o JOIN rooms r ON r.room = o.subject
  UNION ALL SELECT 'room_members', to_jsonb(m) FROM o
    JOIN room_members m ON m.room = o.subject AND m.user_id = $5::uuid
  UNION ALL SELECT 'user_rooms', to_jsonb(u) FROM o
    JOIN user_rooms u ON u.user_id = $5::uuid AND u.room = o.subject`

type OutcomeRow = {
  actor: string
  id: string
  subject: string | null
  state: OutcomesAnswer['outcomes'][number]['state']
  seq: string | null
  code: string | null
  detail: string | null
  time: Date
}

export function postgresCommandRows(pool: pg.Pool): CommandRows {
  return {
    async outcomes(names) {
      const { rows } = await answering(
        pool.query<OutcomeRow>({
          name: 'outcomes',
          text: outcomesQuery,
          values: [textArray(names.map(({ actor }) => actor)), plainArray(names.map(({ id }) => id))],
        }),
      )
      return rows.map(({ actor, id, subject, state, seq, code, detail, time }) => ({
        actor,
        id,
        ...(subject === null ? {} : { subject }),
        state,
        ...(seq === null ? {} : { seq: Number(seq) }),
        ...(code === null ? {} : { code }),
        ...(detail === null ? {} : { detail }),
        time: time.toISOString(),
      }))
    },
    async rows({ actor, id }) {
      const ids = Array.from({ length: MAX_EVENTS }, (_, index) => eventId(actor, id, index))
      const user = actor.startsWith('user:') ? streamId(actor) : null
      const values = [actor, id, plainArray(ids), MAX_EVENTS, user]
      const query = { name: 'command-rows', text: rowsQuery, values }
      return (await answering(pool.query<CommandRowsAnswer['rows'][number]>(query))).rows
    },
  }
}

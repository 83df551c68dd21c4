import { asking, type BlockedKey, type IncomingRecord, type ParkedStore } from '@klatsch/event-bus'
import type pg from 'pg'
import { type Tx, transaction } from './transactions.ts'

interface ParkedRow {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly value: Buffer
  readonly headers: Buffer
  readonly timestamp: string
}

/** Positions, blocked keys and parked records of one consumer group, beside its state in the schema `lab`. */
export function postgresParkedStore(pool: pg.Pool, consumer: string): ParkedStore<Tx> {
  return {
    transact: (work) => transaction(pool, work),

    async position(tx, { topic, partition }) {
      // An update that changes nothing, for its lock.
      const rows = await tx.query<{ next: string }>(
        `INSERT INTO lab.positions AS p (consumer, topic, partition, next) VALUES ($1, $2, $3, 0)
         ON CONFLICT (consumer, topic, partition) DO UPDATE SET next = p.next RETURNING next`,
        [consumer, topic, partition],
      )
      return BigInt(rows[0]!.next)
    },

    async advance(tx, { topic, partition }, next) {
      await tx.query(
        'UPDATE lab.positions SET next = $4 WHERE consumer = $1 AND topic = $2 AND partition = $3',
        [consumer, topic, partition, String(next)],
      )
    },

    async blockedOf(tx, keys) {
      const rows = await tx.query<{ key: string }>(
        'SELECT key FROM lab.blocked_keys WHERE consumer = $1 AND key = ANY ($2) ORDER BY key FOR UPDATE',
        [consumer, keys],
      )
      return new Set(rows.map(({ key }) => key))
    },

    async block(tx, key, { code, error, attempts, since }) {
      await tx.query(
        `INSERT INTO lab.blocked_keys (consumer, key, code, error, attempts, since) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (consumer, key) DO UPDATE
         SET code = excluded.code, error = excluded.error, attempts = excluded.attempts`,
        [consumer, key, code, error.replaceAll('\0', ''), attempts, since],
      )
    },

    async append(tx, records) {
      await tx.query(
        `INSERT INTO lab.parked_records (consumer, key, topic, partition, "offset", value, headers, timestamp)
         SELECT $1, r.key, r.topic, r.partition, r.at, r.value, r.headers, r.timestamp
         FROM unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bigint[])
           WITH ORDINALITY AS r (key, topic, partition, at, value, headers, timestamp, place)
         ORDER BY r.place`,
        [
          consumer,
          records.map(({ key }) => key),
          records.map(({ topic }) => topic),
          records.map(({ partition }) => partition),
          records.map(({ offset }) => offset),
          records.map(({ value }) => value),
          records.map(({ headers }) => Buffer.from(JSON.stringify(headers))),
          records.map(({ timestamp }) => timestamp),
        ],
      )
    },

    async first(tx, key, max) {
      // Locked by a statement of its own: the next one sees what was committed before the lock was had.
      await tx.query('SELECT 1 FROM lab.blocked_keys WHERE consumer = $1 AND key = $2 FOR UPDATE', [
        consumer,
        key,
      ])
      const rows = await tx.query<ParkedRow>(
        `SELECT id, topic, partition, "offset", value, headers, timestamp FROM lab.parked_records
         WHERE consumer = $1 AND key = $2 ORDER BY id LIMIT $3`,
        [consumer, key, max],
      )
      return rows.map((row) => ({ id: row.id, record: recordOf(key, row) }))
    },

    async remove(tx, key, records) {
      await tx.query('DELETE FROM lab.parked_records WHERE consumer = $1 AND key = $2 AND id = ANY ($3)', [
        consumer,
        key,
        records.map(({ id }) => id),
      ])
      const freed = await tx.query(
        `DELETE FROM lab.blocked_keys b WHERE b.consumer = $1 AND b.key = $2
         AND NOT EXISTS (SELECT 1 FROM lab.parked_records p WHERE p.consumer = $1 AND p.key = $2) RETURNING 1`,
        [consumer, key],
      )
      return freed.length > 0
    },

    async count(tx) {
      const rows = await tx.query<{ count: string }>(
        'SELECT count(*) FROM lab.parked_records WHERE consumer = $1',
        [consumer],
      )
      return Number(rows[0]!.count)
    },

    async keys() {
      const { rows } = await asking(
        pool.query<Omit<BlockedKey, 'records' | 'next'> & { records: string } & BlockedKey['next']>(
          `SELECT b.key, b.code, b.error, b.attempts, b.since, n.records, p.topic, p.partition, p."offset"
           FROM lab.blocked_keys b
           JOIN LATERAL (SELECT count(*) AS records, min(id) AS first FROM lab.parked_records
             WHERE consumer = b.consumer AND key = b.key) n ON true
           JOIN lab.parked_records p ON p.consumer = b.consumer AND p.key = b.key AND p.id = n.first
           WHERE b.consumer = $1 ORDER BY b.since, b.key`,
          [consumer],
        ),
      )
      return rows.map(({ topic, partition, offset, records, ...blocked }) => ({
        ...blocked,
        records: Number(records),
        next: { topic, partition, offset },
      }))
    },
  }
}

const recordOf = (key: string, row: ParkedRow): IncomingRecord => ({
  ...{ topic: row.topic, partition: row.partition, offset: row.offset, key, value: row.value },
  headers: JSON.parse(row.headers.toString()),
  timestamp: Number(row.timestamp),
})

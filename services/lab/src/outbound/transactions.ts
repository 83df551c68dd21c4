import { asking } from '@klatsch/event-bus'
import type pg from 'pg'

/** A transaction; what fails is thrown as `databaseFault` has it. */
export interface Tx {
  query<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<R[]>
}

/** Runs `work` in one transaction at read committed. */
export async function transaction<T>(pool: pg.Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await asking(pool.connect())
  let broken = true
  try {
    await asking(client.query('BEGIN'))
    const tx: Tx = { query: async (text, values) => (await asking(client.query(text, [...values]))).rows }
    let result: T
    try {
      result = await work(tx)
    } catch (error) {
      await asking(client.query('ROLLBACK')).then(() => {
        broken = false
      })
      throw error
    }
    await asking(client.query('COMMIT'))
    broken = false
    return result
  } finally {
    // A connection whose transaction did not end as planned is closed: that ends it for certain.
    client.release(broken)
  }
}

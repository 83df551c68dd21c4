import { GLOBAL_ROOM } from '@klatsch/contracts'
import { PassingFault } from '@klatsch/event-bus'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as make from '../../test/commands.ts'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { postgresTables } from '../../test/postgres-tables.ts'
import { recordingPublisher } from '../../test/publisher.ts'
import { storeContract } from '../../test/store-contract.ts'
import { calm } from '../../test/world.ts'
import { commandProcessor } from '../inbound/processor.ts'
import { migrate } from './migrations.ts'
import { newSalt } from './salt.ts'
import { postgresStore } from './store.ts'

describe('the record in Postgres', () => {
  storeContract(async () => {
    const database = await testDatabase()
    const pool = database.pool({ max: 8 })
    return { store: postgresStore(pool), tables: () => postgresTables(pool), end: database.end }
  })
})

describe('when Postgres', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database?.end())

  const processorOver = (pool: ReturnType<TestDatabase['pool']>) =>
    commandProcessor({ store: postgresStore(pool), publisher: recordingPublisher(), now: Date.now, newSalt })
  const feed = (pool: ReturnType<TestDatabase['pool']>, ...commands: make.TestCommand[]) =>
    processorOver(pool).handle(
      commands.map(({ record }) => record),
      calm,
    )
  const events = async (subject: string) =>
    (await postgresTables(database.pool())).events.get(subject)?.length ?? 0

  test('is asked to migrate by several processes at once, one does it', async () => {
    await Promise.all([1, 2, 3].map(() => migrate(database.url, false)))
  })

  test('was made with another password, it is said what may have happened', async () => {
    const url = new URL(database.url)
    url.password = 'wrong'
    await expect(migrate(url.href, false)).rejects.toThrow(/was made with another password .* `down -v`/)
  })

  test("holds a stream's lock for another, the batch passes in time", async () => {
    const pool = database.pool({ timeouts: { lock: 100 } })
    const holder = await database.pool({ hot: false }).connect()
    await holder.query('BEGIN')
    await holder.query('SELECT 1 FROM streams WHERE stream = $1 FOR UPDATE', [GLOBAL_ROOM])
    const join = make.join(GLOBAL_ROOM, 'ada')
    const fed = feed(pool, join)
    await expect(fed).rejects.toBeInstanceOf(PassingFault)
    await expect(fed).rejects.toMatchObject({ cause: { code: '55P03' } })
    await holder.query('COMMIT')
    holder.release()
    await feed(pool, join)
  })

  test('holds it for a zombie that went silent, the zombie is cut off', async () => {
    const zombie = await database.pool({ timeouts: { idleInTransaction: 200 } }).connect()
    zombie.on('error', () => {})
    await zombie.query('BEGIN')
    await zombie.query('SELECT 1 FROM streams WHERE stream = $1 FOR UPDATE', [GLOBAL_ROOM])
    await feed(database.pool(), make.join(GLOBAL_ROOM, 'bob'))
    await expect(zombie.query('SELECT 1')).rejects.toThrow()
    zombie.release(true)
  })

  test('breaks the connection under a batch, the batch passes and nothing of it stays', async () => {
    const pool = database.pool({ max: 1 })
    const room = make.create('ada')
    await feed(pool, room)
    const hi = make.send(room.subject, 'hi', 'ada')
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`
    const knife = database.pool({ hot: false })
    for (let cuts = 3; ; cuts--) {
      const fed = feed(pool, hi).then(
        () => 'through' as const,
        (error: unknown) => error,
      )
      if (cuts > 0) await knife.query(cut)
      const result = await fed
      if (result === 'through' && cuts <= 0) break
      if (result !== 'through') expect(result).toBeInstanceOf(PassingFault)
    }
    expect(await events(room.subject)).toBe(3)
  })

  test('takes too long over a statement, the batch passes', async () => {
    const pool = database.pool({ timeouts: { lock: 10_000, statement: 100 } })
    const holder = await database.pool({ hot: false }).connect()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE command_outcomes IN ACCESS EXCLUSIVE MODE')
    await expect(feed(pool, make.join(GLOBAL_ROOM, 'cyd'))).rejects.toMatchObject({
      cause: { code: '57014' },
    })
    await holder.query('ROLLBACK')
    holder.release()
  })

  test('finds a deadlock, it passes', async () => {
    const rooms = [make.create('ada'), make.create('ada')]
    const pool = database.pool()
    await feed(pool, ...rooms)
    const [first, second] = rooms.map(({ subject }) => subject).sort()
    const other = await database.pool({ hot: false, timeouts: { lock: 8_000 } }).connect()
    await other.query('BEGIN')
    await other.query('SELECT 1 FROM streams WHERE stream = $1 FOR UPDATE', [second])
    const slow = database.pool({ timeouts: { lock: 8_000 } })
    const fed = feed(slow, ...rooms.map(({ subject }) => make.send(subject, 'hi', 'ada')))
    const answers = await Promise.allSettled([
      fed,
      (async () => {
        for (;;) {
          const { rows } = await pool.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          )
          if (rows.length > 0) break
        }
        await other.query('SELECT 1 FROM streams WHERE stream = $1 FOR UPDATE', [first])
      })(),
    ])
    const reasons = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(reasons.map((error) => error.code ?? error.cause?.code)).toEqual(['40P01'])
    if (answers[0]?.status === 'rejected') expect(reasons[0]).toBeInstanceOf(PassingFault)
    await other.query('ROLLBACK').catch(() => {})
    other.release(true)
  })

  test('is away, it passes', async () => {
    const nowhere = database.pool({ url: 'postgres://nobody@127.0.0.1:1/nothing' })
    await expect(feed(nowhere, make.join(GLOBAL_ROOM, 'ada'))).rejects.toBeInstanceOf(PassingFault)
  })

  test('has not the tables it should have, it passes: no command is to blame', async () => {
    const url = new URL(database.url)
    url.pathname = '/postgres'
    const fed = feed(database.pool({ url: url.href }), make.join(GLOBAL_ROOM, 'ada'))
    await expect(fed).rejects.toBeInstanceOf(PassingFault)
    await expect(fed).rejects.toMatchObject({ cause: { code: '42P01' } })
  })

  test('cannot store a value, that is the fault of the record, and its neighbours are unharmed', async () => {
    const pool = database.pool()
    const store = postgresStore(pool)
    const claim = store.claim({
      actor: make.actor('ada'),
      id: make.create('ada').id,
      state: 'held',
      detail: 'a\u0000b',
    })
    await expect(claim).rejects.toMatchObject({ code: '22021' })
    await expect(claim).rejects.not.toBeInstanceOf(PassingFault)
    await feed(pool, make.join(GLOBAL_ROOM, 'dan'))
  })
})

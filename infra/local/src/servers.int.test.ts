import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { prepareKafka, startKafka } from './kafka.ts'
import { answersMetadata } from './kafka-probe.ts'
import { preparePostgres, startPostgres } from './postgres.ts'
import { isAlive, processesIn } from './processes.ts'
import { startStack } from './stack.ts'
import type { Supervised } from './supervisor.ts'

let dir: string
let running: Supervised[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'klatsch-servers-'))
})
afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()))
  running = []
  rmSync(dir, { recursive: true, force: true })
})
function using<P extends Supervised>(part: P): P {
  running.push(part)
  return part
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('postgres', () => {
  test('killed with -9 while it works, comes back on its port with what was committed', async () => {
    const postgres = using(await startPostgres({ dir }))
    const url = await postgres.database('talk')
    await query(url, "create table said (words text); insert into said values ('hello')")
    // A backend that computes does not notice that its postmaster died, and keeps the next one from starting.
    const busy = query(url, 'select count(*) from generate_series(1, 1000000000)').catch(() => 'cut')
    await vi.waitFor(async () => {
      const working = "select 1 from pg_stat_activity where state = 'active' and query like 'select count%'"
      expect(await query(url, working)).toHaveLength(1)
    })
    const first = postgres.pid!
    postgres.kill('SIGKILL')
    await vi.waitFor(() => expect(isAlive(first)).toBe(false))
    await postgres.ready()
    expect(await query(url, 'select words from said')).toEqual([{ words: 'hello' }])
    expect(await busy).toBe('cut')
  })

  test('stopped and started again it has its data and its password, and leaves no process behind', async () => {
    const postgres = using(await startPostgres({ dir }))
    await query(await postgres.database('talk'), 'create table said (words text)')
    await postgres.stop()
    expect(processesIn(join(dir, 'cluster'))).toEqual([])
    const again = using(await startPostgres({ dir, port: postgres.port }))
    expect(again.url).toBe(postgres.url)
    expect(await query(await again.database('talk'), 'select * from said')).toEqual([])
  })

  test('speaks UTF-8, sorts alike on every machine, and keeps what it commits', async () => {
    const { url } = using(await startPostgres({ dir }))
    expect(await query(url, "select upper('ä') as upper, 'a' < 'B' as caseless")).toEqual([
      { upper: 'Ä', caseless: false },
    ])
    expect(
      await query(url, "select current_setting('fsync') as fsync, current_setting('listen_addresses') as at"),
    ).toEqual([{ fsync: 'on', at: '127.0.0.1' }])
  })

  test('does not touch a cluster that is half-written', async () => {
    mkdirSync(join(dir, 'cluster'))
    writeFileSync(join(dir, 'cluster', 'PG_VERSION'), '18\n')
    await expect(preparePostgres({ dir })).rejects.toThrow(/half-written.*--reset/)
  })
})

describe('kafka', () => {
  test('killed with -9, comes back on its port within seconds', async () => {
    const kafka = using(await startKafka({ dir }))
    const first = kafka.pid!
    kafka.kill('SIGKILL')
    await vi.waitFor(() => expect(isAlive(first)).toBe(false))
    await kafka.ready()
    expect(await answersMetadata(kafka.port, AbortSignal.timeout(5_000))).toBe(true)
  }, 180_000)

  test('whose disk is full goes down, and comes back with what it had when there is room again', async () => {
    const said: string[] = []
    const kafka = using(await startKafka({ dir, diskMb: 64, say: (sentence) => said.push(sentence) }))
    expect(await answersMetadata(kafka.port, AbortSignal.timeout(5_000))).toBe(true)
    await kafka.disk!.fill()
    kafka.kill('SIGKILL')
    const cannotStart = () => said.some((sentence) => sentence.includes('exit code'))
    await vi.waitFor(() => expect(cannotStart()).toBe(true), { timeout: 60_000, interval: 200 })
    await kafka.disk!.free()
    await kafka.ready()
    expect(await answersMetadata(kafka.port, AbortSignal.timeout(5_000))).toBe(true)
  }, 180_000)

  test('prepared for a start that was called off, is gone with its disk', async () => {
    const processes = () => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
    const before = processes()
    const { KAFKA_BROKERS: _, DATABASE_URL: __, ...env } = process.env
    const signal = AbortSignal.abort(new Error('enough'))
    const start = startStack({ port: 0, dataDir: dir, kafkaDiskMb: 64, env, signal })
    await expect(start).rejects.toThrow('enough')
    await vi.waitFor(() => expect(processes()).toBe(before), { timeout: 5_000 })
  })

  test('does not touch a data folder that is half-written', async () => {
    mkdirSync(join(dir, 'data'))
    await expect(prepareKafka({ dir })).rejects.toThrow(/half-written.*--reset/)
  })
})

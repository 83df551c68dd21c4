import type { Attempt } from '@klatsch/contracts'
import {
  check,
  createPerson,
  makeRoomsOf,
  type Person,
  readPostgres,
  recordAt,
  registerAccounts,
  runLoad,
  seededRandom,
} from '@klatsch/drills'
import { askStack, type NetworkTarget } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { attemptsSince, commandsSince, runFile, type Sample, watchStack } from './watch.ts'

/** How long a server is away; OUTAGE_SECONDS=60 gives the figures that the documents name. */
const AWAY_MS = Number(process.env.OUTAGE_SECONDS ?? 15) * 1_000
const BEFORE_MS = 5_000
const AFTER_MS = 10_000
const PER_SECOND = 60
const RECOVER_MS = 60_000
/** Seconds that are looked at from its return on. */
const AFTER_RETURN = 15
/** What is no storm, in any second, by all services together: tries while it is away, and from its return on. */
const CALM = { connections: 300, connectionsAfter: 60, attempts: 60 }

// Reached by its data folder, which only the stack of these tests has.
describe.skipIf(inject('stack').dataDir === '')('a server is away while people write', () => {
  let rooms: string[]
  const people: Person[] = []
  beforeAll(async () => {
    const { baseUrl, wsUrl } = inject('stack')
    const accounts = await registerAccounts(baseUrl, 20)
    rooms = [...(await makeRoomsOf(accounts, 10, 10)).rooms]
    for (const [index, { username: name, actor, api, session }] of accounts.entries()) {
      const token = (stale?: string) => session.token(stale)
      const random = seededRandom(index)
      people.push(await createPerson({ name, actor, api, token, rooms, url: wsUrl, random }))
    }
  }, 120_000)
  afterAll(async () => {
    await Promise.all(people.map((person) => person.close()))
  })

  test.each(['postgres', 'kafka'] as const)(
    '%s: nothing is lost, nobody storms it when it returns, and memory stays bounded',
    async (target) => {
      const began = Date.now()
      const saidBefore = people.reduce((all, person) => all + person.sends.length, 0)
      const watching = watchStack()
      const durationMs = BEFORE_MS + AWAY_MS + AFTER_MS
      const talking = runLoad({
        observers: people.map((person) => ({ person, rooms })),
        perSecond: PER_SECOND,
        over: (elapsedMs) => elapsedMs > durationMs,
        random: seededRandom(1),
      })
      await pause(systemScheduler, BEFORE_MS)
      const order = { target, fault: { kind: 'cut' }, forMs: AWAY_MS } as const
      const { until } = await askStack(runFile().control, 'network/set', order)
      const backAt = Date.parse(until)
      await pause(systemScheduler, backAt - Date.now())
      const unanswered = people.reduce((sum, person) => sum + person.waiting, 0)
      // Everything that was said while it was away: whoever spoke last then is answered last.
      const recoveredMs = await noneWaitingSince(people, backAt)
      await talking
      await expect
        .poll(() => people.every(({ waiting }) => waiting === 0), { timeout: RECOVER_MS, interval: 100 })
        .toBe(true)
      const samples = await watching.stop()
      const attempts = await attemptsSince(began)
      const commands = await commandsSince(began)

      const { reads } = await readPostgres(recordAt(inject('stack').databaseUrl), rooms)
      const heads = new Map(reads.map(({ room, seq }) => [room, seq]))
      for (const { room, seq } of reads) heads.set(room, Math.max(seq, heads.get(room)!))
      const everyoneHasAll = () =>
        people.every((person) => rooms.every((room) => person.head(room) >= heads.get(room)!))
      await expect.poll(everyoneHasAll, { timeout: RECOVER_MS, interval: 250 }).toBe(true)
      const report = check({
        sends: people.flatMap((person) => person.sends),
        reads: [...reads, ...people.flatMap((person) => person.reads)],
        observers: people.flatMap(({ name }) => rooms.map((room) => ({ observer: name, room, from: 1 }))),
        copies: ['postgres'],
      })

      const said = report.sent - saidBefore
      const awayAt = backAt - AWAY_MS
      const failed = attempts.filter(({ kind }) => kind === 'failed')
      const seconds = (times: readonly number[]) => perSecond(times, awayAt, backAt)
      const tries = seconds(connectionTimes(samples, target))
      const failures = seconds(failed.map(({ time }) => Date.parse(time)))
      const memory = Object.fromEntries(
        ['chat', 'gateway', 'presence', 'lab'].map((part) => [part, growth(samples, part, awayAt)]),
      )
      console.log(
        [
          `${target} away for ${AWAY_MS / 1_000} s under ${PER_SECOND} messages/s: ${said} sent, ${unanswered} unanswered when it returned`,
          `${commands} commands on the log for the ${said} messages of this time; all answered ${(recoveredMs / 1_000).toFixed(1)} s after it returned`,
          `connections tried a second, from a second before to ${AFTER_RETURN} s after: ${tries.join(' ')}`,
          `failed attempts a second: ${failures.join(' ')}`,
          `failed attempts by consumer: ${JSON.stringify(byConsumer(failed))}`,
          `connections tried by service: ${JSON.stringify(byService(samples, target))}`,
          `memory before/most, MB: ${JSON.stringify(memory)}`,
        ].join('\n'),
      )
      expect(report.anomalies).toEqual(
        Object.fromEntries(Object.keys(report.anomalies).map((name) => [name, []])),
      )
      expect(report).toMatchObject({ ok: true, rejected: 0, unknown: 0, acked: report.sent })
      expect(most(tries)).toBeLessThan(CALM.connections)
      // What a look tells of its second may be of the one before.
      expect(most(tries.slice(2 - AFTER_RETURN))).toBeLessThan(CALM.connectionsAfter)
      expect(most(failures)).toBeLessThan(CALM.attempts)
      for (const [part, { before, peak }] of Object.entries(memory))
        expect(peak - before, part).toBeLessThan(200)
    },
    AWAY_MS + 240_000,
  )
})

/** Milliseconds from then until nobody waited for the outcome of what they said before. */
async function noneWaitingSince(people: readonly Person[], then: number): Promise<number> {
  const open = people.map((person) => ({ person, said: person.sends.length }))
  const isOpen = ({ person, said }: (typeof open)[number]) =>
    person.sends.slice(0, said).some(({ outcome }) => outcome.kind === 'unknown')
  await expect.poll(() => open.some(isOpen), { timeout: RECOVER_MS, interval: 50 }).toBe(false)
  return Date.now() - then
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, each) => all + each, 0)

/** The moment of each connection tried, as well as a look each second tells. */
function connectionTimes(samples: readonly Sample[], target: NetworkTarget): number[] {
  return samples.flatMap(({ at, tried }, index) =>
    Array.from(
      { length: sum(tried[target]) - sum((samples[index - 1] ?? samples[0]!).tried[target]) },
      () => at,
    ),
  )
}

/** How many in each second, from one before it went away to fifteen after it returned. */
function perSecond(times: readonly number[], awayAt: number, backAt: number): number[] {
  const from = awayAt - 1_000
  const counts = new Array<number>(Math.round((backAt - from) / 1_000) + AFTER_RETURN).fill(0)
  for (const time of times) {
    const second = Math.floor((time - from) / 1_000)
    if (second >= 0 && second < counts.length) counts[second]! += 1
  }
  return counts
}

/** How often whose records failed, and by what code. */
function byConsumer(failed: readonly Attempt[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const attempt of failed) {
    const name = `${attempt.group} ${'code' in attempt ? attempt.code : ''}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** How many connections each service tried to make. */
function byService(samples: readonly Sample[], target: NetworkTarget): Record<string, number> {
  const tried = (sample: Sample) => sample.tried[target]
  return Object.fromEntries(
    Object.entries(tried(samples.at(-1)!)).map(([service, count]) => [
      service,
      count - tried(samples[0]!)[service]!,
    ]),
  )
}

const most = (counts: readonly number[]): number => Math.max(...counts)

function growth(samples: readonly Sample[], part: string, awayAt: number) {
  const of = (among: readonly Sample[]) => Math.max(...among.map(({ memory }) => memory[part] ?? 0))
  return { before: of(samples.filter(({ at }) => at < awayAt)), peak: of(samples) }
}

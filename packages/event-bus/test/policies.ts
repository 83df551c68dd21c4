import { type Attempt, deadLetterHeaders, dlqOf, KlatschError, type RetryPolicy } from '@klatsch/contracts'
import { expect, test } from 'vitest'
import type { AttemptLog } from '../src/policies/attempt-log.ts'
import { PassingFault } from '../src/policies/fault.ts'
import { policySwitch, usualPolicy } from '../src/policies/policy.ts'
import { type BusHarness, consume, keysOfPartitions, newGroup, record, text } from './harness.ts'

const backoff = { kind: 'fixed', ms: 20 } as const

/** Keeps what is noted. */
export function notes(): AttemptLog & { readonly all: Attempt[] } {
  const all: Attempt[] = []
  return { all, dropped: 0, note: (attempt) => void all.push(attempt), close: async () => {} }
}

/** What was noted of one offset, in short: `failed own command.invalid`. */
const story = (all: readonly Attempt[], offset: string): string[] =>
  all.flatMap((a) => {
    if (a.kind === 'dropped' || a.offset !== offset) return []
    const fault = a.kind === 'failed' ? ` ${a.fault} ${a.code}` : ''
    return [`${a.kind}${fault}`]
  })

/** Each policy does what it says about a record that fails. */
export function policyContract(harness: () => BusHarness): void {
  /** A topic, who publishes to it, and what came of it. */
  async function scene() {
    const h = harness()
    const bus = h.newBus()
    const got: string[] = []
    return { h, bus, topic: await h.newTopic(1), publisher: await bus.publisher(), attempts: notes(), got }
  }

  test('block: a record with a fault of its own is tried as often as the policy says, and its partition waits', async () => {
    const h = harness()
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const attempts = notes()
    await h.wait((await bus.publisher()).publish(['0', 'bad', '2'].map((v) => record(topic, 'k', v))))
    const got: string[] = []
    const tries: number[] = []
    await consume(
      h,
      bus,
      topic,
      async (records, { attempt }) => {
        if (records.some((r) => text(r) === 'bad')) {
          tries.push(attempt)
          throw new KlatschError('command.invalid')
        }
        got.push(...records.map(text))
      },
      {
        maxBatch: 1,
        attempts,
        policy: { kind: 'block', backoff, ownAttempts: 3 },
        deadLetters: await bus.publisher(),
      },
    )
    await h.until(() => got.includes('2'), 'the record behind')
    expect(got).toEqual(['0', '2'])
    expect(tries).toEqual([1, 2, 3])
    expect(story(attempts.all, '1')).toEqual([
      'failed own command.invalid',
      'failed own command.invalid',
      'failed own command.invalid',
      'dead-lettered',
    ])
    expect(attempts.all[0]).toMatchObject({ delayMs: 20, topic, partition: 0, key: 'k', policy: 'block' })
    expect(attempts.all[2]).not.toHaveProperty('delayMs')
    const [letter] = await h.read(dlqOf(topic))
    expect(letter!.headers[deadLetterHeaders.attempts]).toBe('3')
  })

  test('what just works is not told, nor what was only tried beside a record that fails', async () => {
    const { h, topic, bus, attempts, publisher, got } = await scene()
    await consume(
      h,
      bus,
      topic,
      async (records) => {
        if (records.some((r) => text(r) === '57')) throw new KlatschError('command.invalid')
        got.push(...records.map(text))
      },
      { attempts, deadLetters: publisher },
    )
    await h.wait(publisher.publish(Array.from({ length: 100 }, (_, i) => record(topic, `k${i}`, String(i)))))
    await h.until(() => got.includes('99'), 'the last')
    const kinds = attempts.all.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'dead-lettered')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'recovered')).toEqual([])
    expect(kinds.length).toBeLessThanOrEqual(3)
  })

  test('skip: after its attempts a record goes to the dead letters and later ones of its key go on, passing faults too', async () => {
    const { h, topic, bus, attempts, publisher, got } = await scene()
    await consume(
      h,
      bus,
      topic,
      async (records) => {
        if (records.some((r) => text(r) === 'own')) throw new KlatschError('command.invalid')
        if (records.some((r) => text(r) === 'passing')) throw new PassingFault('away')
        got.push(...records.map(text))
      },
      {
        attempts,
        policy: { kind: 'skip', backoff, ownAttempts: 2, passingAttempts: 3 },
        deadLetters: publisher,
      },
    )
    const values = ['0', 'own', '2', 'passing', '4']
    await h.wait(publisher.publish(values.map((v) => record(topic, 'k', v))))
    await h.until(() => got.includes('4'), 'the last')
    expect(got).toEqual(['0', '2', '4'])
    const alone = (offset: string) =>
      story(
        attempts.all.filter((a) => 'records' in a && a.records === 1),
        offset,
      )
    expect(alone('1')).toEqual(['failed own command.invalid', 'failed own command.invalid', 'dead-lettered'])
    expect(alone('3')).toEqual([
      'failed passing passing',
      'failed passing passing',
      'failed passing passing',
      'dead-lettered',
    ])
    expect((await h.read(dlqOf(topic))).map(text)).toEqual(['own', 'passing'])
  })

  test('tiers: a record goes through the delay topics, later ones of its key go on before it', async () => {
    const h = harness()
    const topic = await h.newTopic(2)
    const tiers = [
      { topic: await h.newTopic(1), delayMs: 300 },
      { topic: await h.newTopic(1), delayMs: 900 },
    ]
    const bus = h.newBus()
    const attempts = notes()
    const publisher = await bus.publisher()
    const got: { value: string; headers: Readonly<Record<string, string>>; topic: string; at: number }[] = []
    const failedAt: number[] = []
    const assigned: string[] = []
    const group = newGroup()
    const consumer = await consume(
      h,
      bus,
      topic,
      async (records, context) => {
        const bad = records.find(
          (r) => text(r) === 'for ever' || (text(r) === 'twice' && failedAt.length < 2),
        )
        if (bad) {
          if (records.length === 1 && text(bad) === 'twice') failedAt.push(h.scheduler.now())
          throw new KlatschError('command.invalid', 'not yet')
        }
        for (const r of records)
          got.push({ value: text(r), headers: r.headers, topic: context.topic, at: h.scheduler.now() })
      },
      {
        group,
        tiers,
        attempts,
        policy: { kind: 'tiers', backoff, ownAttempts: 1, passingAttempts: 'forever' },
        deadLetters: publisher,
        onAssigned: async (name) => void assigned.push(name),
        maxBatch: 1,
      },
    )
    const send = (value: string) => ({ ...record(topic, 'k', value), headers: { traceparent: value } })
    await h.wait(publisher.publish(['0', 'twice', 'for ever', '3'].map(send)))
    await h.until(() => got.some(({ value }) => value === 'twice'), 'the recovery')
    expect(got.map(({ value }) => value)).toEqual(['0', '3', 'twice'])
    const twice = got.at(-1)!
    expect(twice.topic).toBe(tiers[1]!.topic)
    expect(twice.headers.traceparent).toBe('twice')
    expect(failedAt[1]! - failedAt[0]!).toBeGreaterThanOrEqual(250)
    expect(twice.at - failedAt[1]!).toBeGreaterThanOrEqual(850)
    let dead: Awaited<ReturnType<typeof h.read>> = []
    await h.until(() => attempts.all.some(({ kind }) => kind === 'dead-lettered'), 'the dead letter')
    dead = await h.read(dlqOf(topic))
    expect(dead.map(text)).toEqual(['for ever'])
    const { partition, offset } = (await h.read(topic)).find((r) => text(r) === 'for ever')!
    expect(dead[0]!.headers).toEqual({
      traceparent: 'for ever',
      [deadLetterHeaders.topic]: topic,
      [deadLetterHeaders.partition]: String(partition),
      [deadLetterHeaders.offset]: offset,
      [deadLetterHeaders.group]: group,
      [deadLetterHeaders.code]: 'command.invalid',
      [deadLetterHeaders.error]: 'not yet',
      [deadLetterHeaders.attempts]: '3',
      [deadLetterHeaders.firstFailedAt]: expect.any(String),
      [deadLetterHeaders.lastFailedAt]: expect.any(String),
    })
    const failedDeferred = ['failed own command.invalid', 'deferred']
    expect(story(attempts.all, '1')).toEqual([...failedDeferred, ...failedDeferred, 'recovered'])
    expect(story(attempts.all, '2')).toEqual([
      ...failedDeferred,
      ...failedDeferred,
      'failed own command.invalid',
      'dead-lettered',
    ])
    expect(attempts.all.every((a) => a.kind !== 'dropped' && a.topic === topic)).toBe(true)
    expect(new Set(assigned)).toEqual(new Set([topic]))
    await h.until(() => consumer.lag === 0, 'nothing left')
  })

  test('a policy switched at run time counts from the next failure on', async () => {
    const h = harness()
    const topic = await h.newTopic(2)
    const [key] = await keysOfPartitions(h, topic, 2)
    const bus = h.newBus()
    const publisher = await bus.publisher()
    const policy = policySwitch({ ...usualPolicy, backoff }, ['block', 'skip'])
    const got: string[] = []
    let failures = 0
    await consume(
      h,
      bus,
      topic,
      async (records) => {
        if (records.some((r) => text(r) === 'stuck')) {
          failures++
          throw new PassingFault('for this one only')
        }
        got.push(...records.map(text))
      },
      { policy, deadLetters: publisher, start: 'end' },
    )
    await h.wait(publisher.publish([record(topic, key!, 'stuck'), record(topic, key!, 'behind')]))
    await h.until(() => failures > 5, 'it to be stuck')
    expect(got).not.toContain('behind')
    const skip: RetryPolicy = { kind: 'skip', backoff, ownAttempts: 1, passingAttempts: 2 }
    policy.set(skip)
    await h.until(() => got.includes('behind'), 'the record behind')
    expect((await h.read(dlqOf(topic))).map(text)).toEqual(['stuck'])
  })

  test('a consumer that has not what its policy needs is refused', async () => {
    const h = harness()
    const topic = await h.newTopic(1)
    const bus = h.newBus()
    const limits = { backoff, ownAttempts: 1, passingAttempts: 1 }
    const attempt = (policy: RetryPolicy) =>
      bus.consume({ group: newGroup(), topics: [topic], start: 'committed', handler: async () => {}, policy })
    await expect(attempt({ kind: 'skip', ...limits })).rejects.toThrow('dead letters')
    await expect(attempt({ kind: 'tiers', ...limits })).rejects.toThrow('delay topics')
    await expect(attempt({ kind: 'park', ...limits })).rejects.toThrow('parking')
  })
}

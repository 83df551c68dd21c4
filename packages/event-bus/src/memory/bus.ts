import { type Bugs, KlatschError, noBugs, topics as registry } from '@klatsch/contracts'
import { type Scheduler, systemScheduler } from '@klatsch/streams'
import type { LogQueries } from '../shared/connection.ts'
import { groupConsumer } from '../shared/consumer.ts'
import { batchingPublisher } from '../shared/publisher.ts'
import { type Batch, type Partitioner, partitioner, SendFault, type Transport } from '../shared/transport.ts'
import type { Consumer, EventBus, IncomingRecord, Log, Publisher } from '../types.ts'
import { type BusFaults, type DeliveryFaults, faultyHandler, type PublishFaults } from './faults.ts'
import { type Group, group as newGroup } from './group.ts'
import { memoryLog } from './log.ts'
import { memoryMember } from './member.ts'
import { network } from './network.ts'
import { byPartition, idempotentProducer } from './producer.ts'

export interface MemoryBusOptions {
  /** The broker's clock, and that of clients that bring none. */
  readonly scheduler?: Scheduler
  readonly random?: () => number
  readonly log?: Log
  /** Partitions by topic; by default those of the registry. */
  readonly topics?: Readonly<Record<string, number>>
  /** Each way between client and broker takes a random time up to this. */
  readonly maxLatencyMs?: number
  /** Records of one fetch at most; each fetch brings a random number up to this. */
  readonly maxFetch?: number
}

export interface MemoryEventBus extends EventBus {
  /**
   * The bus as another process sees it: its own clock, the same log; `bugs` are its own, too. Closing it closes what
   * was made with it.
   */
  client(scheduler: Scheduler, bugs?: Bugs): EventBus
  readonly faults: BusFaults
  /** Beside those given at the start. */
  makeTopic(name: string, partitions: number): void
  /** What the log holds of a topic, partition by partition. */
  records(topic: string): readonly IncomingRecord[]
  committed(group: string, topic: string, partition: number): bigint | undefined
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * The bus in memory, with the same publisher and consumer as over Kafka on top of a log, groups and a network made of
 * scheduled tasks. With a simulated scheduler and its `random`, the seed decides every interleaving.
 */
export function memoryEventBus(options: MemoryBusOptions = {}): MemoryEventBus {
  const { scheduler: broker = systemScheduler, random = Math.random, log: logger = quiet } = options
  const counts =
    options.topics ?? Object.fromEntries(Object.values(registry).map((t) => [t.name, t.partitions]))
  const log = memoryLog(counts, () => broker.now())
  const net = network(broker, random, options.maxLatencyMs ?? 2)
  const groups = new Map<string, Group>()
  const members = new Map<Consumer, { name: string; group: string; muted: boolean }>()
  const deliveryFaults = new Map<string, DeliveryFaults>()
  const publishFaults = new Map<Scheduler | undefined, PublishFaults>()
  let made = 0

  const partitions = (topic: string): number => {
    const count = log.partitions(topic)
    if (count === undefined) throw new KlatschError('server.unavailable', `there is no topic ${topic}`)
    return count
  }

  function groupOf(name: string): Group {
    let found = groups.get(name)
    if (!found) {
      found = newGroup(broker, random, partitions)
      groups.set(name, found)
    }
    return found
  }

  const faultsOf = (client: Scheduler): PublishFaults =>
    publishFaults.get(client) ?? publishFaults.get(undefined) ?? {}

  function transport(client: Scheduler, choose: Partitioner): Transport {
    const happens = (chance: number | undefined) => chance !== undefined && chance > 0 && random() < chance
    let producer = idempotentProducer(log)
    let turn = Promise.resolve()
    async function attempt(batch: Batch): Promise<void> {
      const { requestLost, answerLost, appendedTwice, extraMs = 0, leastMs = 0 } = faultsOf(client)
      const extra = extraMs > 0 ? leastMs + random() * (extraMs - leastMs) : 0
      if (happens(requestLost)) {
        await net.call(client, () => {}, extra)
        throw new SendFault('passing', 'the request was lost')
      }
      const request = producer.request(byPartition(batch, partitions, choose))
      await net.call(client, request.arrives, extra)
      if (happens(answerLost)) throw new SendFault('passing', 'the answer was lost')
      if (happens(appendedTwice)) throw new SendFault('identity', 'the producer is not known any more')
      request.answered()
    }
    return {
      checkTopic: (topic) => net.call(client, () => void partitions(topic)),
      send(batch) {
        const mine = turn.then(() => attempt(batch))
        turn = mine.catch(() => {})
        return mine
      },
      async renew() {
        await net.call(client, () => {})
        producer = idempotentProducer(log)
      },
      async close() {},
    }
  }

  function queries(client: Scheduler): LogQueries {
    return {
      ranges: (topic) =>
        net.call(client, () => {
          const all = Array.from({ length: partitions(topic) }, (_, p) => [p, log.range(topic, p)] as const)
          return new Map(all)
        }),
      committed: (group, topic) =>
        net.call(client, () => {
          const marks = [...log.committed(group).values()].filter((at) => at.topic === topic)
          return new Map(marks.map((at) => [at.partition, at.offset]))
        }),
    }
  }

  function client(scheduler: Scheduler, bugs: Bugs = noBugs): EventBus {
    const consumers: Consumer[] = []
    const publishers: Publisher[] = []
    return {
      async publisher(publisherOptions = {}) {
        const choose = partitioner(random, bugs)
        const ports = { transport: transport(scheduler, choose), scheduler, random, log: logger, bugs }
        const publisher = batchingPublisher(publisherOptions, ports)
        publishers.push(publisher)
        return publisher
      },
      async consume(consumerOptions) {
        const { group } = consumerOptions
        const handler = faultyHandler(consumerOptions.handler, () => deliveryFaults.get(group), random)
        const member = { name: `${group}-${++made}`, group, muted: false }
        const consumer = groupConsumer(
          { ...consumerOptions, handler },
          {
            queries: queries(scheduler),
            connect: (events, topics) =>
              memoryMember(
                {
                  name: member.name,
                  topics,
                  groupName: group,
                  group: groupOf(group),
                  log,
                  network: net,
                  scheduler,
                  random,
                  maxFetch: options.maxFetch ?? 100,
                  muted: () => member.muted,
                },
                events,
              ),
            scheduler,
            random,
            log: logger,
          },
        )
        members.set(consumer, member)
        consumers.push(consumer)
        return consumer
      },
      async close() {
        await Promise.all(consumers.map((consumer) => consumer.close()))
        await Promise.all(publishers.map((publisher) => publisher.close()))
      },
    }
  }

  function memberOf(consumer: Consumer) {
    const member = members.get(consumer)
    if (!member) throw new Error('not a consumer of this bus')
    return member
  }

  const faults: BusFaults = {
    publish: (rates, by) => void publishFaults.set(by, rates),
    delivery: (group, rates) => void deliveryFaults.set(group, rates),
    expel(consumer) {
      const member = memberOf(consumer)
      groupOf(member.group).expel(member.name)
    },
    mute(consumer) {
      const member = memberOf(consumer)
      member.muted = true
      return () => {
        member.muted = false
      }
    },
    rebalance: (group) => groupOf(group).rebalance(),
    commit(group, topic, partition, to) {
      const { begin, end } = log.range(topic, partition)
      const offset = to === 'begin' ? begin : to === 'end' ? end : to
      log.committed(group).set(`${topic}[${partition}]`, { topic, partition, offset })
    },
    truncate: (topic, partition, begin) => log.truncate(topic, partition, begin),
  }

  return {
    ...client(broker),
    client,
    faults,
    makeTopic: (name, count) => log.make(name, count),
    records: (topic) =>
      Array.from({ length: partitions(topic) }, (_, p) => p).flatMap((p) => [
        ...log.read(topic, p, log.range(topic, p).begin, Number.MAX_SAFE_INTEGER),
      ]),
    committed: (group, topic, partition) => log.committed(group).get(`${topic}[${partition}]`)?.offset,
  }
}

import { type AdminHandle, adminHandle, logQueries } from './admin.ts'
import type { KafkaSettings } from './client.ts'

export interface TopicReport {
  readonly topic: string
  /** `end`: the offset the next record gets. */
  readonly partitions: readonly { readonly partition: number; readonly begin: string; readonly end: string }[]
  /** Groups with committed positions in the topic, and how many records each has before it. */
  readonly groups: readonly GroupReport[]
}

export interface GroupReport {
  readonly group: string
  /** As the broker calls it: Stable, Empty, PreparingRebalance, … */
  readonly state: string
  readonly members: number
  readonly lag: number
}

/** Where topics begin and end and how far their groups are. Rejects when one is not there. */
export async function inspectTopics(
  settings: KafkaSettings,
  topics: readonly string[],
): Promise<TopicReport[]> {
  const admin = adminHandle(settings)
  try {
    const queries = logQueries(admin)
    const committed = await committedOf(admin, topics)
    return await Promise.all(
      topics.map(async (topic) => {
        const ranges = await queries.ranges(topic)
        const groups = committed.flatMap(({ offsets, ...about }): GroupReport[] => {
          const positions = offsets.get(topic)
          if (!positions) return []
          let lag = 0
          for (const [partition, { begin, end }] of ranges)
            lag += Number(end - (positions.get(partition) ?? begin))
          return [{ ...about, lag }]
        })
        const partitions = [...ranges]
          .map(([partition, { begin, end }]) => ({ partition, begin: String(begin), end: String(end) }))
          .sort((a, b) => a.partition - b.partition)
        return { topic, partitions, groups }
      }),
    )
  } finally {
    await admin.close()
  }
}

/** The names of all topics but Kafka's own, sorted. */
export async function listTopics(settings: KafkaSettings): Promise<string[]> {
  const admin = adminHandle(settings)
  try {
    const names = await admin.run((a) => a.listTopics())
    return names.filter((name) => !name.startsWith('__')).sort()
  } finally {
    await admin.close()
  }
}

/** Every group that there is, with its committed offsets by topic and partition; topics without any are missing. */
async function committedOf(admin: AdminHandle, topics: readonly string[]) {
  const { groups } = await admin.run((a) => a.listGroups())
  const names = groups.map(({ groupId }) => groupId)
  if (names.length === 0) return []
  const described = await admin.run((a) => a.describeGroups(names))
  return Promise.all(
    described.groups.map(async ({ groupId: group, state, members }) => {
      const answer = await admin.run((a) => a.fetchOffsets({ groupId: group, topics: [...topics] }))
      const offsets = new Map<string, ReadonlyMap<number, bigint>>()
      for (const { topic, partitions } of answer) {
        const known = partitions.filter(({ offset }) => BigInt(offset) >= 0n)
        if (known.length === 0) continue
        offsets.set(topic, new Map(known.map((p) => [p.partition, BigInt(p.offset)])))
      }
      return { group, state, members: members.length, offsets }
    }),
  )
}

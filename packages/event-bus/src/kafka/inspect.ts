import { adminHandle, logQueries } from './admin.ts'
import type { KafkaSettings } from './client.ts'

export interface TopicReport {
  readonly topic: string
  /** `end`: the offset the next record gets. */
  readonly partitions: readonly { readonly partition: number; readonly begin: string; readonly end: string }[]
  /** Groups with committed positions in the topic, and how many records each has before it. */
  readonly groups: readonly { readonly group: string; readonly lag: number }[]
}

/** Where topics begin and end and how far their groups are. Rejects when one is not there. */
export async function inspectTopics(
  settings: KafkaSettings,
  topics: readonly string[],
): Promise<TopicReport[]> {
  const admin = adminHandle(settings)
  const queries = logQueries(admin)
  try {
    const { groups } = await admin.run((a) => a.listGroups())
    const reports: TopicReport[] = []
    for (const topic of topics) {
      const ranges = await queries.ranges(topic)
      const behind: { group: string; lag: number }[] = []
      for (const { groupId: group } of groups) {
        const committed = await queries.committed(group, topic)
        if (committed.size === 0) continue
        let lag = 0
        for (const [partition, { begin, end }] of ranges)
          lag += Number(end - (committed.get(partition) ?? begin))
        behind.push({ group, lag })
      }
      const partitions = [...ranges].map(([partition, { begin, end }]) => ({
        partition,
        begin: String(begin),
        end: String(end),
      }))
      reports.push({
        topic,
        partitions: partitions.sort((a, b) => a.partition - b.partition),
        groups: behind,
      })
    }
    return reports
  } finally {
    await admin.close()
  }
}

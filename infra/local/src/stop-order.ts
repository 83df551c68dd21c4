import type { Supervised } from './supervisor.ts'

const SERVERS: ReadonlySet<string> = new Set(['kafka', 'postgres'])

/** Parts that can be stopped together, one group after the other: the edge first, the servers last. */
export function inStopOrder(parts: Iterable<Supervised>): Supervised[][] {
  const order = [
    (name: string) => name.startsWith('gateway'),
    (name: string) => !SERVERS.has(name),
    () => true,
  ]
  const rest = new Set(parts)
  return order.map((mine) => {
    const group = [...rest].filter(({ name }) => mine(name))
    for (const part of group) rest.delete(part)
    return group
  })
}

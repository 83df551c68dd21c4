import { presenceStates } from '@klatsch/contracts'
import { Gauge } from 'prom-client'
import type { Memory } from '../domain/memory.ts'
import { stateOf } from '../domain/people.ts'
import type { SignalProcessor } from '../inbound/signals.ts'

/** Shows at `/metrics` what this instance knows. */
export function showMetrics(processor: SignalProcessor, memory: Memory, lag: () => number | undefined): void {
  const partitions = () => [...processor.partitions.values()]
  const sum = (of: (partition: ReturnType<typeof partitions>[number]) => number) =>
    partitions().reduce((total, partition) => total + of(partition), 0)
  const show = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `klatsch_presence_${name}`,
      help,
      collect() {
        this.set(value())
      },
    })
  show('partitions', 'Partitions owned.', () => processor.partitions.size)
  show('rebuilding', 'Partitions that are not settled yet.', () => sum(({ settled }) => (settled ? 0 : 1)))
  show('gateways', 'Leases of gateways, one for each partition they use.', () => sum((p) => p.gateways.size))
  show('fenced', 'Lives of gateways that ended without a word.', () => sum(({ fenced }) => fenced.size))
  show('remembered', 'People of whom it is known when they were last here.', () => memory.size)
  show('told_total', 'Events put on the log.', () => processor.counts.told)
  show('lag_records', 'Records between the position and the end of the log.', () => lag() ?? -1)
  new Gauge({
    name: 'klatsch_presence_people',
    help: 'People by state.',
    labelNames: ['state'],
    collect() {
      const counts = new Map<string, number>(presenceStates.map((state) => [state, 0]))
      for (const { people } of partitions()) {
        for (const { held } of people.values())
          counts.set(stateOf(held), (counts.get(stateOf(held)) ?? 0) + 1)
      }
      for (const [state, count] of counts) this.set({ state }, count)
    },
  })
}

import { Counter, Gauge, Histogram } from 'prom-client'
import type { BatchReport } from '../inbound/processor.ts'

const seconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

export interface ChatMetrics {
  batch(report: BatchReport): void
  held(): void
}

/** What chat counts, shown at `/metrics`. */
export function chatMetrics(lag: () => number | undefined): ChatMetrics {
  const commands = new Counter({
    name: 'klatsch_chat_commands_total',
    help: 'Commands by what became of them; "undecided": had their outcome before, or not yet.',
    labelNames: ['outcome'],
  })
  const events = new Counter({ name: 'klatsch_chat_events_total', help: 'Events appended.' })
  const size = new Histogram({
    name: 'klatsch_chat_batch_commands',
    help: 'Commands of one transaction.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
  })
  const transaction = new Histogram({
    name: 'klatsch_chat_transaction_seconds',
    help: 'From the locks to the commit of a batch.',
    buckets: seconds,
  })
  const publish = new Histogram({
    name: 'klatsch_chat_publish_seconds',
    help: 'From the commit of a batch until the log has it.',
    buckets: seconds,
  })
  new Gauge({
    name: 'klatsch_chat_lag_records',
    help: 'Commands between the position and the end of the log; -1: not known yet.',
    collect() {
      this.set(lag() ?? -1)
    },
  })
  return {
    batch(report) {
      commands.inc({ outcome: 'accepted' }, report.accepted)
      commands.inc({ outcome: 'rejected' }, report.rejected)
      commands.inc({ outcome: 'undecided' }, report.undecided)
      events.inc(report.events)
      size.observe(report.commands)
      transaction.observe(report.transactionMs / 1_000)
      publish.observe(report.publishMs / 1_000)
    },
    held: () => commands.inc({ outcome: 'held' }),
  }
}

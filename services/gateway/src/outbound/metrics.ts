import { Gauge } from 'prom-client'
import type { Connections } from '../connections/connections.ts'
import type { Hub } from '../connections/hub.ts'
import type { Presence } from '../presence/presence.ts'
import type { Requests } from './requests.ts'

/** Shows what the delivery engine counts at `/metrics`. */
export function showMetrics(parts: {
  hub: Hub
  connections: Connections
  requests: Requests
  presence: Presence
  lag: () => number | undefined
}): void {
  const { hub, connections, requests, presence } = parts
  const show = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `klatsch_gateway_${name}`,
      help,
      collect() {
        this.set(value())
      },
    })
  show('connections', 'Sockets open.', () => connections.size)
  show('users', 'Users with at least one socket.', () => connections.users)
  show('streams', 'Streams followed.', () => hub.streams)
  show('deliveries_total', 'Events handed to sockets.', () => hub.counts.delivered)
  show('heads_compared_total', 'Heads of streams compared with Postgres.', () => hub.counts.headsCompared)
  show('positions_checked_total', 'Positions of clients compared with ours.', () => hub.counts.checked)
  show('diverged_total', 'Comparisons that found another history.', () => hub.counts.diverged)
  show('healed_total', 'Streams fetched again, something being missing.', () => hub.counts.healed)
  show('resets_total', 'Subscriptions sent back to a fresh page.', () => hub.counts.resets)
  show('digests_total', 'Digests handed to sockets.', () => hub.counts.digests)
  show(
    'passing_dropped_total',
    'Passing events (digests, presence, typing) that a crowded socket was not sent at the time.',
    () => hub.counts.passingDropped + presence.dropped,
  )
  show('hellos_waiting', 'Hellos and follows that wait to be asked for.', () => hub.waiting.hellos)
  show('hellos_refused_total', 'Hellos refused for the moment.', () => connections.refused)
  show('pages_waiting', 'Pages of events that wait to be asked for.', () => hub.waiting.pages)
  show('pushes_waiting', 'Resumes that wait for another turn.', () => hub.waiting.pushes)
  show('backlog_bytes', 'Bytes that wait for slow readers.', () => connections.backlog)
  show('commands_waiting', 'Commands that wait for their outcome.', () => requests.waiting)
  show('people_watched', "People on somebody's screen.", () => presence.watched)
  show('signals_total', 'Records put on presence.signals.', () => presence.counts.said)
  show('signals_failed_total', 'Records that may not be on presence.signals.', () => presence.counts.failed)
  show('lag_records', 'Records between the position and the end of the log.', () => parts.lag() ?? -1)
}

import { headers } from '@klatsch/contracts'
import type { IncomingRecord } from '@klatsch/event-bus'

export interface Filter {
  readonly key?: string
  readonly type?: string
  readonly actor?: string
  /** Part of the value, compared without case. */
  readonly text?: string
}

export function matches(record: IncomingRecord, filter: Filter): boolean {
  if (filter.key !== undefined && record.key !== filter.key) return false
  if (filter.type !== undefined && !(record.headers[headers.type] ?? '').startsWith(filter.type)) return false
  if (filter.actor !== undefined && record.headers[headers.actor] !== filter.actor) return false
  if (filter.text !== undefined && !record.value.toString().toLowerCase().includes(filter.text.toLowerCase()))
    return false
  return true
}

import { type FaultOrder, type FaultRule, type LabHalt, topics } from '@klatsch/contracts'
import type { Publisher } from '@klatsch/event-bus'

const HALT_MS = 2_000

/** How orders reach the services. */
export interface FaultOrders {
  /** Rejects when the log does not take it in time; it may still get there. */
  set(rule: FaultRule): Promise<void>
  halt(id: string): Promise<void>
  /** Tells each address by HTTP, whatever is the matter with the log. */
  haltAll(urls: readonly string[], at: Date): Promise<LabHalt['instances']>
}

export function faultOrders(publisher: Publisher, internalToken: string): FaultOrders {
  const send = (id: string, order: FaultOrder) =>
    publisher.publish([{ topic: topics.labFaults.name, key: id, value: JSON.stringify(order), headers: {} }])

  async function tell(url: string, at: Date): Promise<LabHalt['instances'][number]> {
    const began = Date.now()
    const afterMs = () => Date.now() - began
    try {
      const answer = await fetch(`${url}/internal/faults/halt`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${internalToken}` },
        body: JSON.stringify({ at: at.toISOString() }),
        signal: AbortSignal.timeout(HALT_MS),
      })
      await answer.arrayBuffer()
      return answer.ok
        ? { url, ok: true, afterMs: afterMs() }
        : { url, ok: false, afterMs: afterMs(), error: `answered ${answer.status}` }
    } catch (error) {
      return { url, ok: false, afterMs: afterMs(), error: error instanceof Error ? error.message : 'failed' }
    }
  }

  return {
    set: (rule) => send(rule.id, { order: 'set', rule }),
    halt: (id) => send(id, { order: 'halt', id }),
    haltAll: (urls, at) => Promise.all(urls.map((url) => tell(url, at))),
  }
}

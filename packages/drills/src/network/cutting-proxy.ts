import { type FaultyProxy, type NetworkFault, startFaultyProxy } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'

export interface CuttingProxyOptions {
  readonly target: { readonly host: string; readonly port: number }
  readonly random: () => number
  /** Something happens to one connection about this often; never when absent. */
  readonly everyMs?: number
}

/** A proxy that spoils connections by chance (seeded by whoever gives it), until it is calmed. */
export async function startCuttingProxy({
  target,
  random,
  everyMs,
}: CuttingProxyOptions): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy({ target, random })
  if (everyMs === undefined) return proxy
  const over = new AbortController()
  const { calm, close } = proxy

  async function keepSpoiling(everyMs: number): Promise<void> {
    while (!over.signal.aborted) {
      await pause(systemScheduler, everyMs * (0.5 + random()), over.signal)
      if (!over.signal.aborted) proxy.strike(anyFault(random))
    }
  }

  void keepSpoiling(everyMs)
  return Object.assign(proxy, {
    calm() {
      over.abort()
      calm()
    },
    close() {
      over.abort()
      return close()
    },
  })
}

/** Cuts most of the time; sometimes what is harder to notice. */
function anyFault(random: () => number): NetworkFault {
  const chance = random()
  if (chance < 0.6) return { kind: 'cut' }
  if (chance < 0.75) return { kind: 'half-open' }
  if (chance < 0.9) return { kind: 'slow', latencyMs: 50 + random() * 450, jitterMs: 0 }
  return {
    kind: 'slow',
    latencyMs: 0,
    jitterMs: 0,
    bytesPerSecond: Math.round(5_000 + random() * 50_000),
  }
}

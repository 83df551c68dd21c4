import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import type { NetworkFault, NetworkFaultKind } from './fault.ts'
import { type Lane, lane } from './lane.ts'
import { reset } from './reset.ts'

export interface FaultyProxyOptions {
  readonly target: { readonly host: string; readonly port: number }
  /** On 127.0.0.1; a free one when absent. */
  readonly port?: number
  /** From 0 to 1: decides jitter, and whom a blow strikes. */
  readonly random: () => number
}

/** A TCP proxy on loopback that spoils connections on demand. */
export interface FaultyProxy {
  readonly port: number
  readonly connections: number
  /** Of these, who lost something that was said, and is reset once it is over. */
  readonly losers: number
  /** All that ever came, those that were reset at once included. */
  readonly accepted: number
  /** How many connections met each fault; of `lost-answers`, how many answers were lost. */
  readonly counts: Readonly<Record<NetworkFaultKind, number>>
  /** From now on for all connections, also those that come; undefined: none. `random` is for this fault alone. */
  set(fault: NetworkFault | undefined, random?: () => number): void
  /** Once, to one connection by chance or to all there are. Answers to how many. */
  strike(fault: NetworkFault, whom?: 'one' | 'all'): number
  /** From now on all is well; connections that lost something are reset, so that it can be. */
  calm(): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly lanes: Lane[]
  /** What struck this one alone. */
  struck: NetworkFault | undefined
  /** Something that was said did not arrive. */
  lost: boolean
}

export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  const { target } = options
  const pairs = new Set<Pair>()
  const counts = { slow: 0, stall: 0, 'half-open': 0, cut: 0, 'lost-answers': 0 }
  let random = options.random
  let standing: NetworkFault | undefined
  let accepted = 0

  const faultOf = (pair: Pair): NetworkFault | undefined => pair.struck ?? standing

  function count(fault: NetworkFault | undefined): void {
    if (fault && fault.kind !== 'lost-answers') counts[fault.kind] += 1
  }

  function accept(client: Socket): void {
    accepted += 1
    count(standing)
    // Whoever counts on being refused is told the same a moment later; so it can be counted who tried.
    if (standing?.kind === 'cut') {
      reset(client)
      return
    }
    const upstream = tcpConnect({ ...target, allowHalfOpen: true })
    const pair: Pair = { client, server: upstream, lanes: [], struck: undefined, lost: false }
    pairs.add(pair)
    pair.lanes.push(direction(pair, client, upstream), direction(pair, upstream, client))
  }

  function direction(pair: Pair, from: Socket, to: Socket): Lane {
    from.setNoDelay(true)
    from.on('error', () => {
      const kind = faultOf(pair)?.kind
      if (kind === 'half-open' || kind === 'stall') pair.lost = true
      else resetBoth(pair)
    })
    from.on('close', () => {
      if (from.closed && to.closed) pairs.delete(pair)
    })
    return lane({
      from,
      to,
      random: () => random(),
      fault: () => faultOf(pair),
      onLost() {
        pair.lost = true
      },
      mayPass() {
        if (faultOf(pair)?.kind !== 'lost-answers' || from !== pair.server) return true
        counts['lost-answers'] += 1
        resetBoth(pair)
        return false
      },
    })
  }

  function resetBoth(pair: Pair): void {
    pairs.delete(pair)
    reset(pair.client)
    reset(pair.server)
  }

  function meet(pair: Pair): void {
    const kind = faultOf(pair)?.kind
    if (kind === 'cut' || (pair.lost && kind !== 'half-open' && kind !== 'stall')) resetBoth(pair)
    else for (const each of pair.lanes) each.judge()
  }

  const server = createServer({ allowHalfOpen: true }, accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: options.port ?? 0, host: '127.0.0.1' }, resolve)
  })
  const address = server.address()

  function set(fault: NetworkFault | undefined, chance = options.random): void {
    standing = fault
    random = chance
    for (const pair of [...pairs]) {
      if (!pair.struck) count(fault)
      meet(pair)
    }
  }

  return {
    port: typeof address === 'object' && address ? address.port : 0,
    get connections() {
      return pairs.size
    },
    get losers() {
      return [...pairs].filter(({ lost }) => lost).length
    },
    get accepted() {
      return accepted
    },
    counts,
    set,
    strike(fault, whom = 'one') {
      const all = [...pairs]
      const chosen = whom === 'all' ? all : all.slice(Math.floor(random() * all.length)).slice(0, 1)
      for (const pair of chosen) {
        count(fault)
        pair.struck = fault
        meet(pair)
      }
      return chosen.length
    },
    calm() {
      for (const pair of pairs) pair.struck = undefined
      set(undefined)
    },
    async close() {
      for (const pair of [...pairs]) resetBoth(pair)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

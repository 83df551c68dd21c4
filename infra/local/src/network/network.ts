import { Worker } from 'node:worker_threads'
import { freePorts } from '../ports.ts'
import { Problem } from '../problem.ts'
import type { NetworkOrder, NetworkTarget } from './fault.ts'
import { type NetworkRule, type NetworkRules, type NetworkState, networkRules, type Route } from './rules.ts'
import type { NetworkAnswer, NetworkCall, RoutePorts } from './worker.ts'

/** The ways from the services to Kafka and Postgres, and what is wrong with them. */
export interface Network {
  /** Brings a fault about; it takes the place of another on the same routes, and ends by itself. @throws Problem */
  set(target: NetworkTarget, fault: NetworkOrder['fault'], how: NetworkHow): Promise<NetworkRule>
  state(): Promise<NetworkState>
  /** Ends one fault, or all; resolves when connections go through again. Answers how many there were. @throws Problem */
  halt(rule?: number): Promise<number>
}
export type NetworkHow = Omit<NetworkOrder, 'target' | 'fault'>

/** A network that is not there yet, but whose ports are known. */
export interface PlannedNetwork {
  /** The port on which a service calls a server; undefined when it calls the server itself. */
  via(target: NetworkTarget, service: string): number | undefined
  /** Listeners that Kafka needs: one for each service, since its answers name the address at which it is to be called. */
  readonly listeners: readonly { readonly name: string; readonly port: number; readonly advertised: number }[]
  /** The port at which Postgres must listen, if it is in the network. */
  readonly postgres: number | undefined
  start(): Promise<Network & { close(): Promise<void> }>
}

const users: Readonly<Record<NetworkTarget, readonly string[]>> = {
  kafka: ['chat', 'gateway', 'presence', 'lab'],
  postgres: ['chat', 'lab'],
}

/** A network in front of these servers, which are ours; without any, nothing runs and every fault is refused. */
export async function planNetwork(targets: readonly NetworkTarget[]): Promise<PlannedNetwork> {
  const wanted: Route[] = targets.flatMap((target) => users[target].map((service) => ({ target, service })))
  const ports = await freePorts(2 * wanted.length + 1)
  const postgres = targets.includes('postgres') ? ports[2 * wanted.length] : undefined
  const routes: RoutePorts[] = wanted.map((route, index) => ({
    ...route,
    port: ports[2 * index]!,
    behind: (route.target === 'postgres' ? postgres : ports[2 * index + 1])!,
  }))
  return {
    via: (target, service) =>
      routes.find((route) => route.target === target && route.service === service)?.port,
    listeners: routes
      .filter(({ target }) => target === 'kafka')
      .map(({ service, port, behind }) => ({ name: service.toUpperCase(), port: behind, advertised: port })),
    postgres,
    start: () => startNetwork(routes),
  }
}

async function startNetwork(routes: readonly RoutePorts[]): Promise<Network & { close(): Promise<void> }> {
  if (routes.length === 0) return facade(networkRules([], Date.now))
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: routes })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<void>()
  let lastId = 0

  function fail(why: Error): void {
    ready.reject(why)
    for (const { reject } of waiting.values()) reject(why)
    waiting.clear()
  }
  worker.on('error', fail)
  worker.on('exit', () => fail(new Problem('The network of the stack has ended.')))
  worker.on('message', (answer: NetworkAnswer) => {
    if ('ready' in answer) return ready.resolve()
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('result' in answer) call?.resolve(answer.result)
    else call?.reject(answer.sentence ? new Problem(answer.error) : new Error(answer.error))
  })

  function ask<T>(call: NetworkCall): Promise<T> {
    const answer = Promise.withResolvers<unknown>()
    lastId += 1
    waiting.set(lastId, answer)
    worker.postMessage({ ...call, id: lastId })
    return answer.promise as Promise<T>
  }

  await ready.promise
  return {
    set: (target, fault, how) => ask({ call: 'set', order: { target, fault, ...how } }),
    state: () => ask({ call: 'state' }),
    halt: (rule) => ask({ call: 'halt', rule }),
    async close() {
      await worker.terminate()
    },
  }
}

const facade = (rules: NetworkRules): Network & { close(): Promise<void> } => ({
  set: async (target, fault, how) => rules.set({ target, fault, ...how }),
  state: async () => rules.state,
  halt: async (rule) => rules.halt(rule),
  close: () => rules.close(),
})

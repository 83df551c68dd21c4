// The proxies of a stack, in a thread of their own: nothing that keeps the stack's own thread busy delays the services.
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, Problem } from '../problem.ts'
import type { NetworkOrder } from './fault.ts'
import { startFaultyProxy } from './proxy.ts'
import { networkRules, type Route } from './rules.ts'

/** A route, the port on which its service calls, and the one that the server listens on. */
export interface RoutePorts extends Route {
  readonly port: number
  readonly behind: number
}

export type NetworkCall =
  | { readonly call: 'set'; readonly order: NetworkOrder }
  | { readonly call: 'halt'; readonly rule: number | undefined }
  | { readonly call: 'state' }

export type NetworkAnswer =
  | { readonly id: number; readonly result: unknown }
  /** `sentence`: for the person at the terminal. */
  | { readonly id: number; readonly error: string; readonly sentence: boolean }
  | { readonly ready: true }

const say = (answer: NetworkAnswer) => parentPort!.postMessage(answer)

const routes = await Promise.all(
  (workerData as readonly RoutePorts[]).map(async ({ target, service, port, behind }) => ({
    ...{ target, service },
    proxy: await startFaultyProxy({ port, target: { host: '127.0.0.1', port: behind }, random: Math.random }),
  })),
)
const rules = networkRules(routes, Date.now)

function carryOut(asked: NetworkCall): unknown {
  switch (asked.call) {
    case 'set':
      return rules.set(asked.order)
    case 'halt':
      return rules.halt(asked.rule)
    case 'state':
      return rules.state
  }
}

parentPort!.on('message', async ({ id, ...asked }: NetworkCall & { readonly id: number }) => {
  try {
    say({ id, result: await carryOut(asked as NetworkCall) })
  } catch (error) {
    say({ id, error: messageOf(error), sentence: error instanceof Problem })
  }
})
say({ ready: true })

import type { DrillStep, Scenario } from '@klatsch/contracts'
import type { NetworkOrder } from '@klatsch/local-stack'
import type { Controls } from './chaos.ts'
import type { Instance } from './instances.ts'
import type { Lab } from './lab.ts'

/** What a drill is run against, and what can be done to it; what is absent cannot. */
export interface Target {
  /** In words, for messages. */
  readonly name: string
  /** `http://host:port` of a gateway. */
  readonly baseUrl: string
  /** To read the record itself; else what HTTP tells is taken for it. */
  readonly databaseUrl?: string
  /** To read the log itself. */
  readonly brokers?: string
  /** Processes: to be killed, frozen, woken. */
  readonly controls?: Controls
  /** Replaces parts, all services when none is named. */
  readonly restart?: (parts: readonly string[]) => Promise<void>
  /** Starts one more instance of a service. */
  readonly launch?: (service: 'chat' | 'gateway' | 'presence', name: string) => Promise<Instance>
  readonly lab?: Lab
  /** Kafka's disk, where it is one that can be filled. */
  readonly disk?: { fill(): Promise<void>; free(): Promise<void> }
  /** The ways between the services and their servers. */
  readonly network?: {
    set(order: NetworkOrder): Promise<unknown>
    halt(): Promise<unknown>
  }
  /** A folder of logs, one file a part. */
  readonly logs?: string
  /** Deliberate bugs that its services were started with. */
  readonly bugs: readonly string[]
}

/** Said to whoever started the drill. */
export class DrillError extends Error {
  override readonly name = 'DrillError'
}

const needs: Readonly<Record<DrillStep['do'], keyof Target | undefined>> = {
  kill: 'controls',
  freeze: 'controls',
  restart: 'restart',
  launch: 'launch',
  stop: 'launch',
  fault: 'lab',
  network: 'network',
  'fill-disk': 'disk',
  repeat: 'brokers',
  halt: 'lab',
  redrive: 'lab',
  race: 'lab',
  narrow: undefined,
  cut: undefined,
}

/** @throws DrillError that names every step which this target cannot do */
export function requireAble(target: Target, { steps, instances }: Scenario): void {
  const wanted = [...steps.map((step) => step.do), ...instances.map(() => 'launch' as const)]
  const unable = [...new Set(wanted)].filter((step) => {
    const need = needs[step]
    return need !== undefined && target[need] === undefined
  })
  if (unable.length === 0) return
  throw new DrillError(
    `${target.name} can be drilled, but these steps cannot be done there: ${unable.join(', ')}. A stack of its own can do them all.`,
  )
}

import type { NetworkOrder } from '@klatsch/local-stack'
import type { AskRecord } from '../people/records.ts'
import type { Controls } from './chaos.ts'
import type { Instance } from './instances.ts'
import type { Lab } from './lab.ts'
import type { Need } from './needs.ts'

/** What a drill is run against, and what can be done to it; what is absent cannot. */
export interface Target {
  /** In words, for messages. */
  readonly name: string
  /** `http://host:port` of a gateway. */
  readonly baseUrl: string
  /** To read the record itself; else what HTTP tells is taken for it. */
  readonly record?: AskRecord
  /** To read the log itself. */
  readonly brokers?: string
  /** Processes: to be killed, frozen, woken. */
  readonly controls?: Controls
  /** The parts that there are, where that is known. */
  readonly parts?: readonly string[]
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
  /** What it cannot meet, and why, in a sentence without its end. */
  readonly without?: Readonly<Partial<Record<Need, string>>>
}

/** Said to whoever started the drill. */
export class DrillError extends Error {
  override readonly name = 'DrillError'
}

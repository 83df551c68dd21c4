import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApi, createSession } from '@klatsch/client'
import {
  askStack,
  askToRestart,
  type Credentials,
  freePorts,
  knownAccounts,
  type NetworkOrder,
  readRunFile,
  startStack,
} from '@klatsch/local-stack'
import { recordAt } from '../people/records.ts'
import { controlsOfDataDir, controlsOfStack } from './controls.ts'
import { launchInstance } from './instances.ts'
import { labAt } from './lab.ts'
import { DrillError, type Target } from './target.ts'

/** A target that has to be given back. */
export interface OpenTarget extends Target {
  /** `keep`: what it left behind, its data and logs. */
  close(keep: boolean): Promise<void>
}

/** What people of a drill need more than others: all come from one address, and talk as fast as they can. */
const ROOMY = {
  GUESTS_PER_MINUTE: '100000',
  PASSWORDS_PER_MINUTE: '100000',
  COMMANDS_PER_SECOND: '2000',
  COMMAND_BURST: '20000',
  DRAIN_MS: '5000',
}

/** Starts a whole stack in a new folder, for drills alone. */
export async function ownStack(options: {
  readonly gateways: number
  readonly kafkaDiskMb?: number | undefined
  readonly bugs: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  readonly signal?: AbortSignal
}): Promise<OpenTarget> {
  const { gateways, kafkaDiskMb, bugs, log, signal } = options
  const dataDir = mkdtempSync(join(tmpdir(), 'klatsch-drill-'))
  const [port = 0] = await freePorts(1)
  // Servers that others use are not ours to kill.
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...outside } = options.env
  const env = {
    ...ROOMY,
    ...outside,
    INTERNAL_TOKEN: randomUUID(),
    LAB_ENABLED: 'true',
    KLATSCH_BUGS: bugs.join(','),
  }
  const logs = join(dataDir, 'logs')
  const stack = await startStack({
    port,
    dataDir,
    env,
    gateways,
    say: log,
    ...(kafkaDiskMb !== undefined && { kafkaDiskMb }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) rmSync(dataDir, { recursive: true, force: true })
    throw error
  })
  return {
    name: 'a stack of its own',
    baseUrl: stack.urls.gateway,
    record: recordAt(stack.databaseUrl),
    brokers: stack.brokers,
    controls: controlsOfStack(stack),
    parts: [...stack.parts.keys()],
    restart: (parts) => stack.restart(parts),
    launch: (service, name) => launchInstance(stack, service, { name, env, logs }),
    lab: labAt(stack.urls.gateway, tokenOf(stack.urls.gateway, stack.accounts[0]!)),
    network: {
      set: ({ target, fault, ...how }) => stack.network.set(target, fault, how),
      halt: () => stack.network.halt(),
    },
    ...(stack.disk && { disk: stack.disk }),
    ...{ logs, bugs },
    without: { disk: 'it was started without one' },
    async close(keep) {
      await stack.stop()
      if (keep) log(`logs and data are kept in ${dataDir}`)
      else rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** The stack that another process runs on this data folder. @throws DrillError when none does */
export function runningStack(dataDir: string): OpenTarget {
  const run = readRunFile(dataDir)
  if (!run) throw new DrillError(`nothing runs on ${dataDir}. Start it with "npm start".`)
  const { control, internal } = run
  const [administrator] = knownAccounts(dataDir)
  return {
    name: `the stack at ${run.url}`,
    baseUrl: internal.gateway,
    brokers: run.brokers,
    controls: controlsOfDataDir(dataDir),
    parts: Object.keys(run.parts),
    ...(control && {
      restart: (parts: readonly string[]) => askToRestart(control, parts, () => {}),
      network: {
        set: (order: NetworkOrder) => askStack(control, 'network/set', order),
        halt: () => askStack(control, 'network/halt', {}),
      },
    }),
    ...(administrator && { lab: labAt(internal.gateway, tokenOf(internal.gateway, administrator)) }),
    logs: join(dataDir, 'logs'),
    bugs: [],
    without: {
      instances: 'only a stack that was started for the drill, or containers, can be given some',
      gateways: 'only a stack that was started for the drill can be given some',
      disk: 'its Kafka is on the disk of the machine',
      ...(!control && { restart: 'it is still starting', network: 'it is still starting' }),
      lab: `no administrator is known on ${dataDir}`,
    },
    close: async () => {},
  }
}

const FAR = 'behind an address nothing can be done to them'

/** Whatever answers at an address; with an administrator's token its laboratory, too. */
export function addressOf(baseUrl: string, token?: string): OpenTarget {
  const { origin } = new URL(baseUrl)
  return {
    name: origin,
    baseUrl: origin,
    ...(token && { lab: labAt(origin, async () => token) }),
    bugs: [],
    without: {
      ...{ controls: FAR, restart: FAR, instances: FAR, gateways: FAR, log: FAR, network: FAR, disk: FAR },
      lab: 'set KLATSCH_TOKEN to the access token of an administrator',
    },
    close: async () => {},
  }
}

/** A token of this account, that is good whenever it is asked for. */
function tokenOf(baseUrl: string, { username, password }: Credentials): () => Promise<string> {
  const api = createApi({ baseUrl, token: (stale) => session.token(stale) })
  const session = createSession(api)
  let entering: Promise<void> | undefined
  return async () => {
    entering ??= api.login({ username, password }).then((found) => session.start(found))
    await entering.catch((error: unknown) => {
      entering = undefined
      throw error
    })
    return session.token()
  }
}

import type { NetworkFault, NetworkOrder, NetworkRule, NetworkState } from '@klatsch/local-stack'
import { type Command, Option } from 'commander'
import { type Painter, painter, table } from './format.ts'
import { CliError, order } from './stack.ts'
import { bytesOf, durationOf, numberOf } from './units.ts'

const HELP = `
  klatsch network kafka --latency 200 --jitter 100 --for 30s
  klatsch network postgres --cut --for 1m
  klatsch network kafka --half-open --service gateway --for 20s
  klatsch network postgres --bandwidth 64k --for 30s
  klatsch network --halt

Works on what "npm start" runs here (KLATSCH_DATA_DIR), by a proxy between the services and its Kafka and Postgres, and
only for the person that started it: whoever can read its data folder need be no administrator of the chat. There is
none with LAB_ENABLED=false, nor in front of a KAFKA_BROKERS or DATABASE_URL of your own.

One fault stands on each way; a newer one takes its place. It ends at its time, by --halt, by "klatsch faults halt", and
when the stack stops.`

export interface NetworkOptions {
  readonly for?: string
  readonly latency?: string
  readonly jitter?: string
  readonly bandwidth?: string
  readonly cut?: boolean
  readonly halfOpen?: boolean
  readonly stall?: boolean
  readonly loseAnswers?: boolean
  readonly service?: string[]
  readonly seed?: string
  readonly halt?: boolean
  readonly json?: boolean
}

export function networkCommand(program: Command, env: NodeJS.ProcessEnv): void {
  program
    .command('network')
    .description('spoil the way from the services to Kafka or Postgres, for a while; list and call off')
    .argument('[target]', 'kafka or postgres; the ways and what is wrong with them when left out')
    .option('--for <time>', 'how long: 500ms, 30s, 5m, 1h at most')
    .option('--latency <ms>', 'everything comes so much later')
    .option('--jitter <ms>', 'up to so much more, by chance')
    .option('--bandwidth <bytes>', 'no more than so much a second, on each connection each way: 900, 64k, 2m')
    .option('--cut', 'connections are reset, and new ones as soon as they are made')
    .option('--half-open', 'what is said is lost, and nobody is told; lossy connections are reset in the end')
    .option('--stall', 'nothing passes and nobody is told; in the end all of it comes')
    .option('--lose-answers', 'what is asked arrives, and a reset comes instead of the answer')
    .option('--service <name...>', 'only for these: chat, gateway, presence, lab')
    .option('--seed <n>', 'what chance decides by')
    .addOption(new Option('--halt', 'all is well again, at once').conflicts('for'))
    .option('--json', 'as JSON, for other programs')
    .addHelpText('after', HELP)
    .action(async (target: string | undefined, options: NetworkOptions) => {
      const { lines, json } = await said(target, options, env, painter(process.stdout, env))
      console.log(options.json ? JSON.stringify(json, null, 2) : lines.join('\n'))
    })
}

async function said(
  target: string | undefined,
  options: NetworkOptions,
  env: NodeJS.ProcessEnv,
  paint: Painter,
): Promise<{ lines: string[]; json: unknown }> {
  if (options.halt) {
    const halted = await order(env, 'network/halt', {})
    return { lines: [`${halted} faults of the network called off.`], json: { halted } }
  }
  if (target === undefined) {
    if (options.for !== undefined) throw new CliError('say which: kafka or postgres.')
    const state = await order(env, 'network/state', null)
    return { lines: stateLines(state, paint), json: state }
  }
  const rule = await order(env, 'network/set', networkOrder(target, options))
  return { lines: [inWords(rule)], json: rule }
}

/** Calls off all faults of the network of the stack that runs here, if that is the one meant. */
export async function haltNetwork(env: NodeJS.ProcessEnv): Promise<number | undefined> {
  return env.KLATSCH_URL ? undefined : order(env, 'network/halt', {})
}

/** @throws CliError for what cannot be ordered. */
export function networkOrder(target: string, options: NetworkOptions): NetworkOrder {
  if (target !== 'kafka' && target !== 'postgres')
    throw new CliError(`"${target}" has no network. Say kafka or postgres.`)
  if (options.for === undefined)
    throw new CliError('--for says how long: every fault ends by itself. Say 500ms, 30s, 5m or 1h.')
  const seed = numberOf('--seed', options.seed)
  return {
    target,
    fault: faultOf(options),
    forMs: durationOf('--for', options.for),
    ...(options.service && { services: options.service }),
    ...(seed !== undefined && { seed }),
  }
}

function faultOf(options: NetworkOptions): NetworkFault {
  const { cut, halfOpen, stall, loseAnswers, latency, jitter, bandwidth } = options
  const slow = latency !== undefined || jitter !== undefined || bandwidth !== undefined
  const wanted = [cut, halfOpen, stall, loseAnswers, slow].filter(Boolean)
  if (wanted.length !== 1)
    throw new CliError(
      'say one of --cut, --half-open, --stall, --lose-answers, or --latency, --jitter and --bandwidth together.',
    )
  if (cut) return { kind: 'cut' }
  if (halfOpen) return { kind: 'half-open' }
  if (stall) return { kind: 'stall' }
  if (loseAnswers) return { kind: 'lost-answers' }
  return {
    kind: 'slow',
    latencyMs: numberOf('--latency', latency) ?? 0,
    jitterMs: numberOf('--jitter', jitter) ?? 0,
    ...(bandwidth !== undefined && { bytesPerSecond: bytesOf('--bandwidth', bandwidth) }),
  }
}

const inWords = ({ target, services, fault, until, seed }: NetworkRule): string =>
  `${target} for ${services.join(', ')}: ${faultInWords(fault)}, until ${until}, seed ${seed}`

function faultInWords(fault: NetworkFault): string {
  switch (fault.kind) {
    case 'slow': {
      const { latencyMs, jitterMs, bytesPerSecond } = fault
      const late = latencyMs + jitterMs > 0 ? [`${latencyMs} ms later`] : []
      const jitter = jitterMs > 0 ? [`up to ${jitterMs} ms more`] : []
      const narrow = bytesPerSecond === undefined ? [] : [`${bytesPerSecond} bytes a second`]
      return ['slow', [...late, ...jitter, ...narrow].join(', ')].join(': ')
    }
    case 'stall':
    case 'cut':
    case 'half-open':
      return fault.kind
    case 'lost-answers':
      return 'answers are lost'
  }
}

function stateLines({ routes, rules }: NetworkState, paint: Painter): string[] {
  if (routes.length === 0)
    return [
      'No proxy stands between the services and the servers (LAB_ENABLED=false, or servers of your own).',
    ]
  const rows = routes.map(({ target, service, connections, met }) => {
    const rule = rules.find((each) => each.target === target && each.services.includes(service))
    const before = Object.entries(met).flatMap(([kind, count]) => (count > 0 ? [`${kind} ${count}`] : []))
    return [
      ...[target, service, String(connections)],
      ...[rule ? faultInWords(rule.fault) : 'well', rule?.until ?? '', before.join(', ')],
    ]
  })
  return table(['server', 'service', 'connections', 'now', 'until', 'met so far'], rows, paint)
}

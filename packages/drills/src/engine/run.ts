import type { DrillReport, LogPosition, Scenario } from '@klatsch/contracts'
import { systemScheduler } from '@klatsch/streams'
import { check } from '../judge/checker.ts'
import type { History } from '../judge/history.ts'
import { type Audience, type AudienceOptions, seat } from '../people/audience.ts'
import { runLoad } from '../people/load.ts'
import { endOfLog, readLog } from '../people/log.ts'
import { askOutcomes, headsInPostgres, headsOverHttp, readHttp, readPostgres } from '../people/records.ts'
import { type Observer, settle } from '../people/settle.ts'
import { seededRandom } from '../random.ts'
import type { Launched, Stage } from './actions.ts'
import { type Cast, gather } from './cast.ts'
import type { Instance } from './instances.ts'
import { requireAble } from './needs.ts'
import type { Target } from './target.ts'
import { type Performed, runTimeline, timesOf, withRecovery } from './timeline.ts'
import { type Evident, verdictOf } from './verdict.ts'
import { createWatch, type Watch } from './watch.ts'

const ENTER_MS = 60_000

/** How far a drill is. */
export interface Progress {
  readonly phase: 'gathering' | 'running' | 'settling' | 'judging'
  readonly elapsedMs: number
  readonly sent: number
  readonly answered: number
  readonly seen: number
}

export interface DrillOptions {
  readonly scenario: Scenario
  readonly target: Target
  /** The scenario's own when absent; else by the clock. */
  readonly seed?: number | undefined
  readonly log?: (line: string) => void
  /** Asked for whenever somebody wants to see how far it is. */
  readonly onStart?: (progress: () => Progress) => void
  /** Ends it: faults are called off, what is frozen is woken. */
  readonly signal?: AbortSignal
}

/**
 * Runs a scenario: people talk while things are done to the stack; then everyone must have everything, and the whole
 * history is judged. @throws DrillError for what the target cannot do; rejects with the reason when aborted
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { scenario, target, log = () => {}, signal = new AbortController().signal } = options
  const seed = options.seed ?? scenario.seed ?? systemScheduler.now() % 1_000_000
  requireAble(target, scenario)
  const watch = createWatch(systemScheduler.now)
  let phase: Progress['phase'] = 'gathering'
  options.onStart?.(() => {
    const { sent, answered, seen } = watch.counts
    return { phase, elapsedMs: watch.elapsedMs, sent, answered, seen }
  })

  log(`${scenario.name}, seed ${seed}: people gather`)
  const launched: Launched = new Map()
  let cast: Cast | undefined
  let audience: Audience | undefined
  try {
    const { brokers } = scenario.judge.log ? target : {}
    const logFrom = brokers === undefined ? undefined : await endOfLog(brokers)
    for (const { service, name } of scenario.instances) launched.set(name, target.launch!(service, name))
    const instances = new Map<string, Instance>()
    for (const [name, launching] of launched) instances.set(name, await launching)
    cast = await gather(scenario, { baseUrl: target.baseUrl, seed, watch, signal })
    audience = await seatAudience(scenario, instances, { seed, safe: target.baseUrl, log, signal })
    const stage: Stage = {
      ...{ target, cast, audience, seed, signal, launched, lanes: [] },
      restarting: Promise.resolve(),
    }
    const everyone: Observer[] = [...cast.observers, ...cast.programs.map((each) => ({ ...each, rooms: [] }))]
    const heads = () => headsOf(target, stage.cast)
    const entered = await settle(everyone, { heads, withinMs: ENTER_MS, log, signal })
    signal.throwIfAborted()
    const gotIn = entered !== undefined
    if (!gotIn) log('not everyone got in: nothing is done, and what there is is judged')

    phase = 'running'
    watch.begin()
    const startedAt = systemScheduler.now()
    const performed = gotIn ? await underLoad(scenario, stage, { watch, log }) : []
    signal.throwIfAborted()
    cast.proxy.calm()
    log(`all is said after ${(watch.elapsedMs / 1_000).toFixed(1)} s; now everyone must have everything`)

    phase = 'settling'
    const withinMs = scenario.judge.settleSeconds * 1_000
    const settledMs = gotIn ? await settle(everyone, { heads, withinMs, log, signal }) : undefined
    await audience?.settle()
    signal.throwIfAborted()

    phase = 'judging'
    const { history, different } = await historyOf(target, cast, logFrom)
    const steps = withRecovery(performed, watch)
    const evident: Evident = {
      target,
      watch,
      steps,
      startedAt,
      settledMs,
      different,
      cast,
      audience,
      lanes: stage.lanes,
    }
    return await verdictOf(scenario, seed, check(history), evident)
  } finally {
    audience?.close()
    await cast?.close()
    await cleanUp(target, launched, scenario)
  }
}

/** Has people talk while the steps are done, for as long as either takes. */
async function underLoad(
  { load, steps }: Scenario,
  stage: Stage,
  { watch, log }: { readonly watch: Watch; readonly log: (line: string) => void },
): Promise<Performed[]> {
  const { cast, signal, seed } = stage
  const lanes = Math.max(0, ...steps.map((step) => (step.do === 'race' ? step.lanes.length : 0)))
  const quiet = new Set(cast.rooms.slice(0, lanes))
  let stepsAreOver = false
  const timeline = runTimeline(timesOf(steps, seededRandom(seed + 2)), stage, { watch, log }).finally(() => {
    stepsAreOver = true
  })
  const talking = runLoad({
    observers: [...cast.observers, ...cast.programs].flatMap(({ person, rooms }) => {
      const lively = rooms.filter((room) => !quiet.has(room))
      return lively.length > 0 ? [{ person, rooms: lively }] : []
    }),
    ...{ perSecond: load.perSecond, chars: load.chars },
    random: seededRandom(seed),
    over: (elapsedMs) => signal.aborted || (stepsAreOver && elapsedMs > load.seconds * 1_000),
  })
  const [performed] = await Promise.all([timeline, talking])
  return performed
}

function seatAudience(
  { load, instances }: Scenario,
  running: ReadonlyMap<string, Instance>,
  { seed, ...common }: Pick<AudienceOptions, 'safe' | 'log' | 'signal'> & { readonly seed: number },
): Promise<Audience> | undefined {
  if (load.audience === 0) return undefined
  const gateways = instances.filter(({ service }) => service === 'gateway')
  return seat({
    ...common,
    people: load.audience,
    gateways: new Map(gateways.map(({ name }) => [name, running.get(name)!.url!])),
    random: seededRandom(seed + 3),
  })
}

/** How far each room is, by the record where it can be read. */
const headsOf = ({ record }: Target, cast: Cast): Promise<ReadonlyMap<string, number>> =>
  record === undefined ? headsOverHttp(cast.apiOf, cast.rooms) : headsInPostgres(record, cast.rooms)

/** What everyone sent and saw, what the copies have, and what the system says of commands without a good end. */
async function historyOf({ record, brokers }: Target, cast: Cast, logFrom: LogPosition | undefined) {
  const { rooms, observers, programs, accounts } = cast
  const recorded = record === undefined ? { reads: [], different: [] } : await readPostgres(record, rooms)
  const persons = [...observers, ...programs].map(({ person }) => person)
  const sends = persons.flatMap((person) => person.sends)
  const history: History = {
    sends,
    reads: [
      ...recorded.reads,
      ...(await readHttp(cast.apiOf, rooms)),
      ...(brokers && logFrom ? await readLog(brokers, logFrom, rooms) : []),
      ...persons.flatMap((person) => person.reads),
    ],
    observers: observers.flatMap(({ person, rooms }) =>
      rooms.map((room) => ({ observer: person.name, room, from: 1 })),
    ),
    copies: ['http', ...(record ? ['postgres'] : []), ...(brokers && logFrom ? ['log'] : [])],
    skips: persons.flatMap((person) => person.skips),
    answers: await askOutcomes(new Map(accounts.map(({ actor, api }) => [actor, api])), sends),
  }
  return { history, different: recorded.different }
}

/** Whatever came of it: nothing that was done to the stack stays. */
async function cleanUp(target: Target, launched: Launched, { steps }: Scenario): Promise<void> {
  if (steps.some((step) => step.do === 'fault')) await target.lab!.haltFaults().catch(() => {})
  if (steps.some((step) => step.do === 'network')) await target.network!.halt().catch(() => {})
  for (const launching of await Promise.allSettled(launched.values())) {
    if (launching.status === 'rejected') continue
    await launching.value.signal('SIGKILL')
    await launching.value.ended
  }
}

import type { Attempt, DrillReport, DrillStep } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { seededRandom } from '../random.ts'
import type { Cast } from './cast.ts'
import { until } from './chaos.ts'
import { DrillError, type Target } from './target.ts'

const TICK_MS = 20
const POLL_MS = 250
/** What is in a delay topic of a minute has come out of it by then. */
const PATIENCE_MS = 90_000

interface RaceStage {
  readonly target: Target
  readonly cast: Pick<Cast, 'rooms' | 'observers'>
  readonly seed: number
  readonly signal: AbortSignal
}

type Race = Extract<DrillStep, { do: 'race' }>
export type Lane = NonNullable<DrillReport['race']>[number]

/**
 * Races retry policies of the laboratory's echo projection, one after the other, each in a room of its own: the same messages at the
 * same times, of which some cannot be taken until the fault is over. `lanes` gets what became of each; then the echo is as it was.
 */
export async function race(step: Race, stage: RaceStage, lanes: Lane[]): Promise<void> {
  const { target, signal } = stage
  const lab = target.lab!
  const before = await lab.echo()
  try {
    for (const [index, { policy, order, all }] of step.lanes.entries()) {
      signal.throwIfAborted()
      const lane = await runLane(step, policy, index, stage)
      lanes.push(lane)
      const kept = { order: lane.late === 0, all: lane.missing === 0 }
      if (kept.order !== order || kept.all !== all) {
        const inWords = (of: typeof kept) =>
          `${of.order ? 'keeps' : 'breaks'} the order and ${of.all ? 'keeps' : 'loses'} records`
        throw new DrillError(
          `${policy.kind} ${inWords(kept)}, and should be one that ${inWords({ order, all })}`,
        )
      }
    }
  } finally {
    await lab.changeEcho({ policy: before.policy, poison: null, running: before.state !== 'off' })
  }
}

async function runLane(
  { messages, poisoned, seconds }: Race,
  policy: Race['lanes'][number]['policy'],
  index: number,
  stage: RaceStage,
): Promise<Lane> {
  const { cast, target, seed, signal } = stage
  const lab = target.lab!
  const room = cast.rooms[index]
  const person = cast.observers.find(({ rooms }) => room !== undefined && rooms.includes(room))?.person
  if (!room || !person) throw new DrillError(`there is nobody to race the policy ${policy.kind}`)
  const poison = `poison-${seed}-${index}`
  await lab.changeEcho({ policy, poison, running: true })
  person.say(room, 'ready?')
  const roomNow = async () => (await lab.echo(room)).rooms.find((each) => each.room === room)
  await until('the echo has come as far as now', async () => (await roomNow()) !== undefined, signal)

  const random = seededRandom(seed)
  const spoilt = new Set<number>()
  while (spoilt.size < poisoned) spoilt.add(Math.floor((0.1 + 0.6 * random()) * messages))
  const start = systemScheduler.now()
  for (let said = 0; said < messages && !signal.aborted; ) {
    const due = Math.min(
      messages,
      Math.ceil(((systemScheduler.now() - start) / (seconds * 1_000)) * messages),
    )
    for (; said < due; said += 1) person.say(room, `${said} ${spoilt.has(said) ? poison : 'well'}`)
    await pause(systemScheduler, TICK_MS, signal)
  }
  await until('all is said', () => person.waiting === 0, signal)
  const blocked = async () => (await lab.echo(room)).blocked.find(({ key }) => key === room)
  const parked = (await blocked())?.records ?? 0
  const waiting = messages + 1 - ((await roomNow())?.messages ?? 0)

  const healedAt = systemScheduler.now()
  await lab.changeEcho({ poison: null })
  if (parked > 0) await lab.redriveEcho([room])
  let attempts: readonly Attempt[]
  const of = (kind: Attempt['kind']) => attempts.filter((attempt) => attempt.kind === kind)
  for (;;) {
    attempts = await lab.attempts(room, start)
    const counted = (await roomNow())?.messages ?? 0
    if (counted + of('dead-lettered').length > messages && !(await blocked())) break
    if (signal.aborted || systemScheduler.now() - healedAt > PATIENCE_MS) break
    await pause(systemScheduler, POLL_MS, signal)
  }
  const tries = of('failed').flatMap((attempt) => ('attempt' in attempt ? [attempt.attempt] : []))
  const { late = 0, messages: counted = 0 } = (await roomNow()) ?? {}
  return {
    policy: policy.kind,
    ...{ messages, poisoned, waiting, parked, late },
    recoveredMs: systemScheduler.now() - healedAt,
    attempts: tries.length,
    attemptsAtMost: Math.max(0, ...tries),
    deadLetters: of('dead-lettered').length,
    missing: messages + 1 - counted,
  }
}

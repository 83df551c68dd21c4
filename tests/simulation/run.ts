import type { Bug } from '@klatsch/contracts'
import type { Report } from '@klatsch/drills'
import { assemble, type Cast } from './cast.ts'
import { calm, deeds } from './deeds.ts'
import type { Plan, StepKind } from './plan.ts'
import { type Findings, judge, type Kind } from './verdict.ts'
import { SETTLE_MS, World } from './world.ts'

export interface Outcome {
  readonly report: Report
  readonly findings: Findings
  readonly ok: boolean
  /** What was done, in order, with its time. */
  readonly story: readonly string[]
  /** How often each thing was done. */
  readonly done: Readonly<Partial<Record<StepKind, number>>>
  /** Turns of the scheduler: places at which another order would have been another world. */
  readonly turns: number
}

/** Repetitions still on their way must change nothing any more, and leases must end. */
const AFTER_MS = 13_000
/** So many steps before the end, the switchers turn to digests: the last events are told by those that nobody asks for. */
const DIGESTS = 15

/**
 * The whole program on one plan: real clients, gateways, chat and presence over a log and a record in memory, where
 * every order is chance. People write, come and go while processes are killed, frozen and woken, partitions move,
 * answers get lost, records come twice or not at all; then it is left alone, and its whole history is judged.
 */
export async function runPlan(plan: Plan, bugs: readonly Bug[] = []): Promise<Outcome> {
  const world = await World.begin(plan, new Set(bugs))
  const cast = await assemble(world)
  const done: Partial<Record<StepKind, number>> = {}
  const last = Math.max(0, plan.steps.length - DIGESTS)
  for (const [index, step] of plan.steps.entries()) {
    if (index === last) for (const each of cast.switchers) each.settle('digest')
    const at = world.time
    const what = await deeds[step.kind](world, cast, step)
    if (what !== undefined) {
      done[step.kind] = (done[step.kind] ?? 0) + 1
      world.tell(what, at)
    }
    await world.sim.runFor(step.waitMs)
  }
  const left = await settle(world, cast)
  const { report, findings: found } = judge(world, cast, left)
  const findings = named(found, cast.names)
  const ok = Object.keys(findings).length === 0
  return { report, findings, ok, story: world.story, done, turns: world.sim.steps }
}

/** With the names that the story uses in place of ids. */
function named(findings: Findings, names: ReadonlyMap<string, string>): Findings {
  const name = (witness: string) => {
    let text = witness
    for (const [id, called] of names) text = text.replaceAll(`user:${id}`, called).replaceAll(id, called)
    return text
  }
  return Object.fromEntries(Object.entries(findings).map(([kind, witnesses]) => [kind, witnesses.map(name)]))
}

/** Leaves the world alone until everyone has everything; what is missing when that never comes. */
async function settle(world: World, cast: Cast): Promise<Partial<Record<Kind, string[]>>> {
  const { sim, store } = world
  const { people, switchers, rooms } = cast
  world.tell('everything is left alone')
  for (const { client } of people) for (const room of rooms) client.follow(room)
  calm(world)
  const missing = () =>
    people.flatMap(({ name, client }) => [
      ...client.outbox.map(({ id }) => `${name} still waits for the outcome of ${id}`),
      ...rooms.flatMap((room) => {
        const at = client.streams.get(room)?.cursor?.seq ?? 0
        const head = world.headOf(room)
        return at === head ? [] : [`${name} is at ${at} of ${head} in ${cast.names.get(room)}`]
      }),
    ])
  const behind = () => [...store.heads.values()].some((head) => head.publishedSeq < head.seq)
  await sim.runUntil(() => !behind() && missing().length === 0, SETTLE_MS)
  const unsettled = missing()

  const stale = () =>
    switchers.flatMap((each, index) =>
      rooms.flatMap((room) => {
        const { seq = 0, messageNo = 0 } = store.heads.get(room) ?? {}
        const told = each.told(room)
        if (told?.head === seq && told.messageNo === messageNo) return []
        return [`switcher-${index + 1} was told ${told?.head} of ${seq} in ${cast.names.get(room)}`]
      }),
    )
  await sim.runUntil(() => stale().length === 0, SETTLE_MS)
  const staleDigests = stale()
  for (const each of switchers) each.settle('full')
  await sim.runUntil(
    () => switchers.every((each) => rooms.every((room) => each.at(room) === world.headOf(room))),
    SETTLE_MS,
  )
  // What an owner that was just killed had is found anew by the next: until then nobody is told who is gone.
  await sim.runUntil(() => world.presenceWatch.settled, SETTLE_MS)
  await sim.runFor(AFTER_MS)
  return { unsettled, staleDigests }
}

import type { DrillReport, Invariant, Scenario } from '@klatsch/contracts'
import { anomalies, type Report, type Witness } from '../judge/checker.ts'
import type { Verdict } from '../judge/presence.ts'
import type { Audience } from '../people/audience.ts'
import type { Cast } from './cast.ts'
import { type Sources, withEvidence } from './evidence.ts'
import type { Lane } from './race.ts'
import { quantilesOf } from './watch.ts'

/** Witnesses told in full, of each kind. */
const WITNESSES = 5

const OF_PRESENCE: readonly Invariant[] = ['ghosts', 'falseOffline', 'unseen', 'versionOrder']

/** What came of a drill besides the history. */
export interface Evident extends Sources {
  readonly cast: Pick<Cast, 'troubles' | 'proxy' | 'moves'>
  readonly audience: Audience | undefined
  readonly lanes: readonly Lane[]
  /** Undefined: never. */
  readonly settledMs: number | undefined
  /** Rows of a read table that differ from what the events say. */
  readonly different: readonly { readonly room: string; readonly seq: number }[]
}

/** What each thing means when it is found. */
export const meanings: Readonly<Record<Invariant, string>> = {
  ...anomalies,
  projection: 'a row of a read table differs from what the events say',
  unsettled: 'somebody still lacked something, or waited for an answer, when the time was up',
  ghosts: 'said to be here more than 10 s after they went, or once they were said to be gone',
  falseOffline: 'said to be offline while they were here, or had gone for a moment only',
  unseen: 'here for more than 10 s, and said to be offline all the time',
  versionOrder: 'an observer was told of a person in another order than that of the versions',
  troubled: 'a client met an error, a close or a hole that it should not have met',
}

/** Holds what was found against what the scenario wants. */
export async function verdictOf(
  scenario: Scenario,
  seed: number,
  report: Report,
  evident: Evident,
): Promise<DrillReport> {
  const { watch, steps, startedAt, settledMs, cast } = evident
  const { judge } = scenario
  const presence = evident.audience?.verdict()
  const kinds: Readonly<Record<Invariant, readonly Witness[]>> = {
    ...report.anomalies,
    projection: evident.different.map(({ room, seq }) => ({
      ...{ room, seq },
      what: `${room} ${seq} is otherwise in the table of messages`,
    })),
    unsettled:
      settledMs === undefined ? [{ what: `not everyone had everything ${judge.settleSeconds} s later` }] : [],
    ghosts: presence?.ghosts ?? [],
    falseOffline: presence?.falseOffline ?? [],
    unseen: presence?.unseen ?? [],
    versionOrder: presence?.outOfOrder ?? [],
    troubled: cast.troubles.map(({ observer, what, atMs }) => ({
      ...{ observer },
      what: `after ${(atMs / 1_000).toFixed(1)} s, ${observer}: ${what}`,
    })),
  }
  const found: DrillReport['found'][number][] = []
  for (const [name, witnesses] of Object.entries(kinds)) {
    const invariant = name as Invariant
    if (witnesses.length === 0) continue
    const told = []
    for (const witness of chosenOf(witnesses)) told.push(await withEvidence(witness, evident))
    const judged = judge.invariants.includes(invariant)
    found.push({ invariant, means: meanings[invariant], judged, count: witnesses.length, witnesses: told })
  }
  const reasons = [
    ...found.filter(({ judged }) => judged).map(({ invariant, count }) => `${invariant}: ${count}`),
    ...(['unknown', 'rejected', 'held'] as const)
      .filter((end) => report[end] > judge[end])
      .map((end) => `${report[end]} commands ended ${end}, and ${judge[end]} at most may`),
    ...(report.held < judge.heldAtLeast
      ? [
          `${report.held} commands were held, and ${judge.heldAtLeast} at least should be: was the fault there?`,
        ]
      : []),
    ...steps.flatMap(({ what, error }) => (error === undefined ? [] : [`${what}: ${error}`])),
  ]
  const { sent, acked, unknown, rejected, held, read, observers } = report
  return {
    ...{ scenario, seed, ok: reasons.length === 0, reasons, found },
    judged: judge.invariants.filter((name) => isJudgeable(name, evident)),
    startedAt: new Date(startedAt).toISOString(),
    tookMs: watch.elapsedMs,
    ...{ sent, acked, unknown, rejected, held, read, observers },
    steps: [...steps],
    ...(evident.lanes.length > 0 && { race: [...evident.lanes] }),
    ...(presence && { presence: presenceOf(presence, evident.audience!.people) }),
    series: [...watch.series],
    ...watch.quantiles(),
    ...(settledMs !== undefined && { settledMs }),
    spoilt: { ...cast.proxy.counts },
    troubles: cast.troubles.length,
    moves: cast.moves,
  }
}

function presenceOf(verdict: Verdict, people: number): NonNullable<DrillReport['presence']> {
  const quantiles = (times: Readonly<Record<string, readonly number[]>>) =>
    Object.fromEntries(Object.entries(times).map(([why, ms]) => [why, quantilesOf(ms)]))
  return { people, told: verdict.told, gone: quantiles(verdict.gone), back: quantiles(verdict.back) }
}

/** Whether there was something to judge it by. */
function isJudgeable(name: Invariant, { target, audience }: Evident): boolean {
  if (name === 'projection') return target.record !== undefined
  return audience !== undefined || !OF_PRESENCE.includes(name)
}

/** The first of them, each of another command where there are so many. */
function chosenOf(witnesses: readonly Witness[]): Witness[] {
  const different = new Map<string, Witness>()
  for (const witness of witnesses) {
    if (different.size === WITNESSES) break
    const name = witness.command ?? witness.what
    if (!different.has(name)) different.set(name, witness)
  }
  const chosen = new Set(different.values())
  for (const witness of witnesses) if (chosen.size < WITNESSES) chosen.add(witness)
  return [...chosen]
}

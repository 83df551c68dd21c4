import { seededRandom } from '@klatsch/streams/simulation'

/** How many there are of each in a world. */
export interface Setup {
  /** Members of every room, who write, and who must have everything. */
  readonly people: number
  readonly rooms: number
  /** Second devices that look at one room and then at another. */
  readonly switchers: number
  /** Who come and go, and are watched by the people. */
  readonly visitors: number
  readonly chats: number
  readonly gateways: number
  readonly presences: number
}

/** What can be cut away from a world, and how little is left of it at least. */
export const smallest: Setup = {
  people: 1,
  rooms: 1,
  switchers: 0,
  visitors: 0,
  chats: 1,
  gateways: 1,
  presences: 1,
}
const largest: Setup = {
  people: 3,
  rooms: 2,
  switchers: 2,
  visitors: 2,
  chats: 2,
  gateways: 2,
  presences: 2,
}

const everyday = {
  say: 0.62,
  'say a lot': 0.04,
  'join or leave': 0.08,
  'switch rooms': 0.04,
  'look at a room': 0.03,
  'come or go': 0.05,
} as const
const mishaps = {
  'kill a chat': 1,
  'freeze a chat': 1,
  'expel a chat': 1,
  'move the commands': 1,
  'kill a gateway': 1,
  'shut a gateway down': 1,
  'freeze a gateway': 1,
  'let last words come late': 1,
  'kill a presence': 1,
  'freeze a presence': 1,
  'move the signals': 1,
  'reload a page': 1,
  'reload as presence moves': 2,
  'make the log unreliable': 1,
  'make the log whole': 1,
  'repeat commands': 1,
  'hide events': 1,
  'take the database away': 1,
  'give the database back': 1,
  'cut a socket': 2,
  'send a socket elsewhere': 1,
  'silence a socket': 1,
  'slow a socket': 1,
  'clog a socket': 2,
} as const
/** Of them, those that befall sockets. */
const cuts = [
  'cut a socket',
  'cut a socket',
  'send a socket elsewhere',
  'silence a socket',
  'slow a socket',
] as const

export type StepKind = keyof typeof everyday | keyof typeof mishaps

/**
 * One thing that is done to the world. Everything it chooses (who, where, how long) is a fraction that is applied to
 * what there is when its turn comes, so a step means much the same when others are left out.
 */
export interface Step {
  /** Its place in the whole plan, and its name. */
  readonly n: number
  readonly kind: StepKind
  readonly a: number
  readonly b: number
  /** Virtual milliseconds that pass after it. */
  readonly waitMs: number
}

/** A whole run as a list of decisions that can be cut. `order` decides every interleaving and every delay. */
export interface Plan {
  readonly seed: number
  readonly order: number
  readonly setup: Setup
  readonly steps: readonly Step[]
}

export interface PlanOptions {
  readonly steps?: number
  /** Mishaps of sockets after each step. */
  readonly cutting?: number
}

/** Share of what happens that are mishaps; most seeds have only some kinds of them, and so each kind often enough. */
const MISHAPS = 0.14
const KEPT = 0.6

/** What happens under a seed: the same for the same seed and options. */
export function planOf(seed: number, { steps = 60, cutting = 0 }: PlanOptions = {}): Plan {
  const random = seededRandom(seed * 2 + 1)
  const kept = Object.entries(mishaps).filter(() => random() < KEPT)
  // Leases and sessions end in seconds, so some worlds must take their time.
  const pace = random() < 0.75 ? 300 : 2_500
  const between = (part: keyof Setup) =>
    smallest[part] + Math.floor(random() * (largest[part] - smallest[part] + 1))
  const setup: Setup = {
    people: between('people'),
    rooms: between('rooms'),
    switchers: between('switchers'),
    visitors: between('visitors'),
    chats: between('chats'),
    gateways: between('gateways'),
    presences: between('presences'),
  }
  const made: Step[] = []
  const add = (kind: StepKind, upToMs: number) =>
    made.push({ n: made.length + 1, kind, a: random(), b: random(), waitMs: random() * upToMs })
  for (let n = 0; n < steps; n += 1) {
    const usually = random() >= MISHAPS || kept.length === 0
    add(weighted(usually ? Object.entries(everyday) : kept, random()) as StepKind, pace)
    for (let cut = 0; cut < cutting; cut += 1) add(cuts[Math.floor(random() * cuts.length)]!, 100)
  }
  return { seed, order: seed, setup, steps: made }
}

function weighted(choices: readonly (readonly [string, number])[], at: number): string {
  let left = at * choices.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight] of choices) {
    left -= weight
    if (left < 0) return name
  }
  return choices.at(-1)![0]
}

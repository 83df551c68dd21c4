import type { Scheduler } from './scheduler.ts'

/** Numbers in [0, 1) that a seed decides (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One process of the simulated world: a scheduler of its own, that can be stopped in the middle of anything. */
export interface SimulatedProcess extends Scheduler {
  readonly name: string
  readonly state: 'running' | 'frozen' | 'dead'
  /** As by SIGSTOP: its tasks wait while the world goes on. */
  freeze(): void
  /** As by SIGCONT: what became due meanwhile runs late. */
  thaw(): void
  /** As by SIGKILL: none of its tasks runs again, so whatever it awaits stays unfinished for ever. */
  kill(): void
}

export interface Simulation extends Scheduler {
  readonly seed: number
  /** The one source of chance; use it for all that should be reproducible. */
  readonly random: () => number
  /** Tasks that wait for their time, those of frozen processes included. */
  readonly pending: number
  readonly steps: number
  process(name: string): SimulatedProcess
  /** Runs one of the tasks that are due, chosen by chance, and all that follows from it without waiting. False: none is left. */
  step(): Promise<boolean>
  /** Steps until `done` says so (true), or until nothing is left or `maxMs` of virtual time have passed (false). */
  runUntil(done: () => boolean, maxMs?: number): Promise<boolean>
  /** Steps for `ms` of virtual time. */
  runFor(ms: number): Promise<void>
  /** Steps until nothing is left. Rejects after `maxSteps`: something keeps scheduling itself. */
  runUntilIdle(maxSteps?: number): Promise<void>
}

interface Task {
  readonly due: number
  readonly run: () => void
  readonly owner: { state: SimulatedProcess['state'] }
}

/**
 * A world with virtual time in which a seed decides every order. All asynchrony of what is simulated must come from
 * its schedulers; then the same seed gives the same run. Times and orders are chosen so: of the tasks that are due, one
 * by chance; when none is due, time jumps to the next one. Needs Node (it waits for promises with `setImmediate`).
 */
export function simulatedScheduler(seed: number, startAt = Date.UTC(2026, 0, 1)): Simulation {
  const random = seededRandom(seed)
  let tasks: Task[] = []
  let time = startAt
  let steps = 0
  const world = { state: 'running' as const }

  function schedule(owner: Task['owner'], ms: number, run: () => void): () => void {
    const task: Task = { due: time + Math.max(0, ms), run, owner }
    tasks.push(task)
    return () => {
      const at = tasks.indexOf(task)
      if (at >= 0) tasks.splice(at, 1)
    }
  }

  async function step(): Promise<boolean> {
    let next = Number.POSITIVE_INFINITY
    for (const task of tasks) if (task.owner.state === 'running' && task.due < next) next = task.due
    if (next === Number.POSITIVE_INFINITY) return false
    if (next > time) time = next
    const isReady = (task: Task) => task.owner.state === 'running' && task.due <= time
    let ready = 0
    for (const task of tasks) if (isReady(task)) ready++
    let left = Math.floor(random() * ready)
    const [chosen] = tasks.splice(
      tasks.findIndex((task) => isReady(task) && left-- === 0),
      1,
    ) as [Task]
    steps++
    chosen.run()
    await new Promise((resolve) => setImmediate(resolve))
    return true
  }

  return {
    seed,
    random,
    get pending() {
      return tasks.length
    },
    get steps() {
      return steps
    },
    now: () => time,
    after: (ms, task) => schedule(world, ms, task),

    process(name) {
      const owner: { state: SimulatedProcess['state'] } = { state: 'running' }
      return {
        name,
        get state() {
          return owner.state
        },
        // In whole milliseconds, as a real clock's.
        now: () => Math.floor(time),
        after: (ms, task) => (owner.state === 'dead' ? () => {} : schedule(owner, ms, task)),
        freeze() {
          if (owner.state === 'running') owner.state = 'frozen'
        },
        thaw() {
          if (owner.state === 'frozen') owner.state = 'running'
        },
        kill() {
          owner.state = 'dead'
          tasks = tasks.filter((task) => task.owner !== owner)
        },
      }
    },

    step,
    async runUntil(done, maxMs = 3_600_000) {
      const end = time + maxMs
      // What was started just now may not have scheduled anything yet.
      await new Promise((resolve) => setImmediate(resolve))
      while (!done()) {
        if (time > end || !(await step())) return done()
      }
      return true
    },
    async runFor(ms) {
      let over = false
      schedule(world, ms, () => {
        over = true
      })
      while (!over) await step()
    },
    async runUntilIdle(maxSteps = 1_000_000) {
      await new Promise((resolve) => setImmediate(resolve))
      for (let i = 0; await step(); i++) {
        if (i >= maxSteps) throw new Error(`not idle after ${maxSteps} steps (seed ${seed})`)
      }
    },
  }
}

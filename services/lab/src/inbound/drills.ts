import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  drillReportSchema,
  KlatschError,
  type LabDrill,
  type NewDrill,
  type Scenario,
} from '@klatsch/contracts'
import type { Actor } from '../outbound/audit.ts'

/** Drills that are remembered. */
const KEPT = 20
const REPORT_BYTES = 64 * 1024 * 1024

/** Where drills come from: the command line's entrance, and the data folder of the stack that they are run against. */
export interface DrillProgram {
  readonly main: string
  readonly dataDir: string
}

export interface Drills {
  /** One at a time. @throws KlatschError `server.overloaded` beside another, `drill.not_here` for what cannot be run from here */
  start(order: NewDrill, by: Actor): LabDrill
  /** Latest first, without their reports. */
  list(): LabDrill[]
  /** @throws KlatschError `request.not_found` */
  get(id: string): LabDrill
  /** Has it clean up and end. @throws KlatschError `request.not_found` */
  cancel(id: string): LabDrill
  close(): Promise<void>
}

/**
 * Runs drills against the stack that this laboratory is part of, each in a process of its own: people of a drill are load, and no
 * part of the laboratory.
 */
export function drillRunner(options: {
  /** Undefined where there is none, as in containers. */
  readonly program: DrillProgram | undefined
  readonly now: () => number
  readonly newId: () => string
}): Drills {
  const { program, now, newId } = options
  const drills = new Map<string, { drill: LabDrill; stop: () => void; readonly over: Promise<void> }>()
  /** Until its process has ended: one that was called off still cleans up, and would call off the faults of the next. */
  let running: string | undefined

  function entryOf(id: string) {
    const entry = drills.get(id)
    if (!entry) throw new KlatschError('request.not_found', 'there is no such drill')
    return entry
  }

  async function run(id: string, { main, dataDir }: DrillProgram, order: NewDrill): Promise<void> {
    const entry = entryOf(id)
    const change = (fields: Partial<LabDrill>) => {
      entry.drill = { ...entry.drill, ...fields }
    }
    const file = join(tmpdir(), `klatsch-drill-${id}.json`)
    await writeFile(file, JSON.stringify(order.scenario), { mode: 0o600 })
    // It may have been called off meanwhile.
    if (entryOf(id).drill.state !== 'running') return rm(file, { force: true })
    const seed = order.seed === undefined ? [] : ['--seed', String(order.seed)]
    const args = [main, 'drill', file, '--on', 'running', '--json', ...seed]
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      env: { PATH: process.env.PATH, KLATSCH_DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    entry.stop = () => child.kill('SIGINT')
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < REPORT_BYTES) output += text
    })
    createInterface({ input: child.stderr }).on('line', (line) => change({ says: line.slice(0, 500) }))
    await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
    await rm(file, { force: true })
    const report = drillReportSchema.safeParse(parsed(output)).data
    if (entry.drill.state === 'cancelled') return
    if (report) change({ state: 'done', ok: report.ok, report })
    else change({ state: 'failed' })
  }

  return {
    start(order, by) {
      if (!program)
        throw new KlatschError(
          'drill.not_here',
          'drills are run from here by the stack that npm start runs alone; elsewhere, by klatsch drill',
        )
      if (endsLaboratory(order.scenario))
        throw new KlatschError(
          'drill.not_here',
          'it would replace or kill the laboratory, and end with it: name the other parts in its steps, or run it by klatsch drill --on running',
        )
      if (running !== undefined)
        throw new KlatschError('server.overloaded', `another drill is running: ${running}`)
      for (const id of drills.keys()) if (drills.size >= KEPT) drills.delete(id)
      const id = newId()
      running = id
      const drill: LabDrill = {
        ...{ id, name: order.scenario.name, state: 'running', by: by.actor },
        startedAt: new Date(now()).toISOString(),
      }
      const begun = Promise.withResolvers<void>()
      drills.set(id, { drill, stop: () => {}, over: begun.promise })
      void run(id, program, order)
        .catch((error: unknown) => {
          const entry = entryOf(id)
          entry.drill = { ...entry.drill, state: 'failed', says: String(error) }
        })
        .finally(() => {
          running = undefined
          begun.resolve()
        })
      return drill
    },
    list: () => [...drills.values()].map(({ drill: { report: _, ...drill } }) => drill).reverse(),
    get: (id) => entryOf(id).drill,
    cancel(id) {
      const entry = entryOf(id)
      if (entry.drill.state === 'running') {
        entry.drill = { ...entry.drill, state: 'cancelled' }
        entry.stop()
      }
      return entry.drill
    },
    async close() {
      for (const { drill, stop } of drills.values()) if (drill.state === 'running') stop()
      await Promise.all([...drills.values()].map(({ over }) => over))
    },
  }
}

/** A drill is a process of this laboratory's, and its report is kept here. */
const endsLaboratory = ({ steps }: Scenario): boolean =>
  steps.some((step) => {
    if (step.do !== 'restart' && step.do !== 'kill') return false
    return step.parts.includes('lab') || (step.do === 'restart' && step.parts.length === 0)
  })

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

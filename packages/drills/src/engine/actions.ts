import type { DrillStep } from '@klatsch/contracts'
import type { NetworkOrder } from '@klatsch/local-stack'
import { pause, systemScheduler } from '@klatsch/streams'
import type { Audience } from '../people/audience.ts'
import { sayAgain } from '../people/last-words.ts'
import type { Cast } from './cast.ts'
import { freeze, killAndWait, until } from './chaos.ts'
import { type Instance, isInstanceOf } from './instances.ts'
import { type Lane, race } from './race.ts'
import { DrillError, type Target } from './target.ts'

export type Launched = Map<string, Promise<Instance>>

/** What a step can lay hands on. */
export interface Stage {
  readonly target: Target
  readonly cast: Cast
  readonly audience: Audience | undefined
  /** Of the drill: what chance there is goes back to it. */
  readonly seed: number
  /** What was launched and not ended, by name, from the moment at which it is started. */
  readonly launched: Launched
  /** What became of each policy that was raced. */
  readonly lanes: Lane[]
  /** The restart under way: one at a time. */
  restarting: Promise<void>
  readonly signal: AbortSignal
}

const JOB_POLL_MS = 250

const words = {
  slow: 'slow down the way between',
  stall: 'stall the way between',
  'half-open': 'lose what is said between',
  cut: 'cut the way between',
  'lost-answers': 'lose the answers between',
} as const

/** The step in a few words. */
export function inWords(step: DrillStep): string {
  switch (step.do) {
    case 'kill':
      return `kill -9 ${step.parts.join(' and ')}`
    case 'freeze':
      return `freeze ${step.part} for ${step.seconds} s`
    case 'restart':
      return `replace ${step.parts.length === 0 ? 'every service' : step.parts.join(', ')}`
    case 'launch':
      return `start one more ${step.service}, ${step.name}`
    case 'stop':
      return `shut down ${step.name}`
    case 'fault': {
      const { point, effect, rooms, percent } = step.fault
      const whom =
        rooms === undefined ? '' : rooms.length === 1 ? ' in one room' : ` in ${rooms.length} rooms`
      const often = percent === 100 ? '' : ` to ${percent} %`
      return `${effect.kind} at ${point}${often}${whom} for ${step.seconds} s`
    }
    case 'network': {
      const { server, fault, services = [] } = step
      return `${words[fault.kind]} ${services.length === 0 ? 'all services' : services.join(', ')} and ${server} for ${step.seconds} s`
    }
    case 'fill-disk':
      return `fill Kafka's disk for ${step.seconds} s`
    case 'repeat':
      return `have the log get the last words of ${step.name} once more`
    case 'halt':
      return 'call off all faults'
    case 'narrow':
      return `let ${step.bytesPerSecond} bytes a second through to clients for ${step.seconds} s`
    case 'cut':
      return 'cut connections of clients'
    case 'race':
      return `race the policies ${step.lanes.map(({ policy }) => policy.kind).join(' and ')}`
    case 'redrive':
      return 'redrive what is held'
  }
}

/** Does it, and resolves when it is over: a part is back, a fault has ended. Rejects when it could not be done. */
export async function perform(step: DrillStep, stage: Stage): Promise<void> {
  const { target, cast, signal, launched } = stage
  switch (step.do) {
    case 'kill':
      await Promise.all(step.parts.map((part) => kill(part, stage)))
      return
    case 'freeze': {
      const instance = await launched.get(step.part)
      const ms = step.seconds * 1_000
      if (!instance) {
        await isUp(step.part, stage)
        await freeze(target.controls!, step.part, ms, signal)
        return
      }
      await instance.signal('SIGSTOP')
      await pause(systemScheduler, ms, signal)
      await instance.signal('SIGCONT')
      return
    }
    case 'restart':
      stage.restarting = stage.restarting.then(() => target.restart!(step.parts))
      await stage.restarting
      return
    case 'launch': {
      if (launched.has(step.name)) throw new DrillError(`${step.name} runs already`)
      const launching = target.launch!(step.service, step.name)
      launched.set(step.name, launching)
      await launching
      return
    }
    case 'stop': {
      const instance = await launched.get(step.name)
      if (!instance) throw new DrillError(`${step.name} does not run`)
      await instance.signal('SIGTERM')
      await instance.ended
      launched.delete(step.name)
      return
    }
    case 'fault': {
      const { rooms, ...fault } = step.fault
      await target.lab!.setFault({
        ...fault,
        ...(rooms && { who: { rooms: rooms.map((index) => roomAt(cast, index)) } }),
        seed: stage.seed,
        forMs: Math.round(step.seconds * 1_000),
        note: 'a drill',
      })
      await pause(systemScheduler, step.seconds * 1_000, signal)
      return
    }
    case 'network': {
      const { server, fault, services, seconds } = step
      await target.network!.set({
        ...{ target: server, fault: fault as NetworkOrder['fault'], seed: stage.seed },
        ...(services && { services }),
        forMs: Math.round(seconds * 1_000),
      })
      await pause(systemScheduler, seconds * 1_000, signal)
      return
    }
    case 'fill-disk':
      await target.disk!.fill()
      await pause(systemScheduler, step.seconds * 1_000, signal)
      await target.disk!.free()
      await isUp('kafka', stage)
      return
    case 'repeat':
      await sayAgain(target.brokers!, (gateway) => isInstanceOf(step.name, gateway))
      return
    case 'halt':
      await target.lab?.haltFaults()
      await target.network?.halt()
      return
    case 'narrow':
      cast.proxy.set({ kind: 'slow', latencyMs: 0, jitterMs: 0, bytesPerSecond: step.bytesPerSecond })
      await pause(systemScheduler, step.seconds * 1_000, signal)
      cast.proxy.set(undefined)
      return
    case 'cut':
      cast.proxy.strike({ kind: 'cut' }, 'all')
      return
    case 'race':
      await race(step, stage, stage.lanes)
      return
    case 'redrive': {
      const { job } = await target.lab!.redrive()
      if (job) {
        await until(
          'what is held is redriven',
          async () => (await target.lab!.job(job.id)).state !== 'running',
          signal,
        )
        const { state, reason } = await target.lab!.job(job.id)
        if (state !== 'done') throw new DrillError(`the redrive ${state}: ${reason ?? ''}`)
      }
      await pause(systemScheduler, JOB_POLL_MS, signal)
      return
    }
  }
}

async function kill(part: string, stage: Stage): Promise<void> {
  const instance = await stage.launched.get(part)
  if (instance) {
    stage.launched.delete(part)
    await instance.signal('SIGKILL')
    await instance.ended
    return
  }
  await isUp(part, stage)
  await killAndWait(stage.target.controls!, part, stage.signal)
}

/** What was killed a moment ago must be back to be killed again. */
async function isUp(part: string, { target, signal }: Stage): Promise<void> {
  const { controls } = target
  await until(`${part} is up`, async () => (await controls!.look(part)).ready, signal)
}

function roomAt(cast: Cast, index: number): string {
  const room = cast.rooms[index]
  if (room === undefined)
    throw new DrillError(`there is no room ${index}: the load has ${cast.rooms.length} rooms`)
  return room
}

import type { MemoryStore } from '@klatsch/chat/src/outbound/memory-store.ts'
import type { Bugs } from '@klatsch/contracts'
import type { MemoryEventBus } from '@klatsch/event-bus'
import type { SimulatedProcess, Simulation } from '@klatsch/streams/simulation'

/** Chances of what can go wrong with a call, changed while the world runs. */
export interface CallFaults {
  /** The call never gets there. */
  refused: number
  /** It gets there, and is undone. */
  undone: number
  /** It is done, and the answer is lost. */
  answerLost: number
}
export const noFaults: CallFaults = { refused: 0, undone: 0, answerLost: 0 }

/** What every process of the world stands in. */
export interface Surroundings {
  readonly sim: Simulation
  readonly bus: MemoryEventBus
  readonly store: MemoryStore
  readonly faults: CallFaults
  readonly bugs: Bugs
}

/** A call to something else: takes time there and back, and a process killed meanwhile never hears of it. */
export async function call<T>(
  { sim, faults }: Surroundings,
  process: SimulatedProcess,
  fault: () => Error,
  work: () => Promise<T> | T,
): Promise<T> {
  const hop = () => new Promise<void>((resolve) => void process.after(sim.random() * 5, resolve))
  await hop()
  if (sim.random() < faults.refused) throw fault()
  const answer = await work()
  await hop()
  if (sim.random() < faults.answerLost) throw fault()
  return answer
}

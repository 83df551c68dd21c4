import { pause, systemScheduler } from '@klatsch/streams'

const POLL_MS = 50
const BACK_MS = 90_000

/** A part as it is now. */
export interface PartNow {
  /** Undefined: it does not run. */
  readonly pid: number | undefined
  readonly ready: boolean
}

/** The processes of a stack, by the name of the part. */
export interface Controls {
  look(part: string): Promise<PartNow>
  /** With -9; the stack starts it again. */
  kill(part: string): Promise<void>
  /** Stops it in its tracks; it goes on by itself after so long, whatever becomes of who asked for it. */
  freeze(part: string, forMs: number): Promise<void>
  /** Lets it go on at once. */
  wake(part: string): Promise<void>
}

/** Kills a part with -9 and waits until another process of that name answers. Resolves with how long it was away. */
export async function killAndWait(controls: Controls, part: string, signal?: AbortSignal): Promise<number> {
  const { pid } = await controls.look(part)
  const start = systemScheduler.now()
  await controls.kill(part)
  const isBack = async () => {
    const now = await controls.look(part)
    return now.ready && now.pid !== pid
  }
  await until(`${part} is back`, isBack, signal)
  return systemScheduler.now() - start
}

/** Stops a part in its tracks for a while: it misses leases and time-outs, and then goes on as if nothing had been. */
export async function freeze(
  controls: Controls,
  part: string,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  await controls.freeze(part, ms)
  await pause(systemScheduler, ms, signal)
  if (signal?.aborted) await controls.wake(part)
}

/** Waits for a condition, a minute and a half at most. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = systemScheduler.now() + BACK_MS
  while (!(await condition())) {
    if (signal?.aborted) throw new Error(`given up waiting until ${what}`)
    if (systemScheduler.now() > deadline)
      throw new Error(`waited ${BACK_MS / 1_000} s until ${what}, in vain`)
    await pause(systemScheduler, POLL_MS, signal)
  }
}

/** Groups worked on at a time: while one waits for the log, another is in Postgres. */
const AT_ONCE = 2
/** Commands that batches are put together up to; a batch is never taken apart. */
const MOST_COMMANDS = 500

interface Part<T> {
  readonly commands: readonly T[]
  readonly signal: AbortSignal
  readonly settle: PromiseWithResolvers<void>
}

/**
 * Group commit over partitions. A transaction and a publish cost much the same for one command as for many, so batches
 * that come while others are worked on go together. Nothing waits when there is nothing to wait for. Commands of a
 * partition keep their order, as long as its next batch is handed in after the one before has ended. What fails
 * together is done once more, one batch after the other, so that each fails for itself alone.
 */
export function inGroups<T>(
  work: (commands: readonly T[]) => Promise<void>,
): (commands: readonly T[], signal: AbortSignal) => Promise<void> {
  const waiting: Part<T>[] = []
  let working = 0

  function take(): Part<T>[] {
    let commands = 0
    const until = waiting.findIndex((part, index) => {
      commands += part.commands.length
      return index > 0 && commands > MOST_COMMANDS
    })
    return waiting.splice(0, until < 0 ? waiting.length : until)
  }

  async function finish(parts: readonly Part<T>[]): Promise<void> {
    const ours = parts.filter(({ signal, settle }) => {
      if (signal.aborted) settle.reject(signal.reason)
      return !signal.aborted
    })
    if (ours.length === 0) return
    try {
      await work(ours.flatMap(({ commands }) => commands))
    } catch (error) {
      const [first, ...others] = ours
      if (others.length === 0) first!.settle.reject(error)
      else for (const part of ours) await finish([part])
      return
    }
    for (const { settle } of ours) settle.resolve()
  }

  function goOn(): void {
    while (working < AT_ONCE && waiting.length > 0) {
      working += 1
      void finish(take()).then(() => {
        working -= 1
        goOn()
      })
    }
  }

  return (commands, signal) => {
    const settle = Promise.withResolvers<void>()
    waiting.push({ commands, signal, settle })
    goOn()
    return settle.promise
  }
}

/** What a process answers to the one that started it, over their IPC channel: a name and one argument, all JSON. */
export type Calls = Record<string, (args: never) => unknown>

export interface Call {
  readonly id: number
  readonly name: string
  readonly args: unknown
}
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }

/** Answers the calls named here and leaves others alone. Ends the process when its parent is gone. */
export function serveCalls(calls: Calls): void {
  process.on('message', async ({ id, name, args }: Call) => {
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined
    if (!call) return
    try {
      process.send?.({ id, result: await call(args as never) } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.channel?.ref()
  process.once('disconnect', () => process.exit(0))
  process.once('SIGTERM', () => process.exit(0))
}

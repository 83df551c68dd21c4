// Ends the processes of a stack whose owner died without doing so itself. The owner writes what runs to this
// process's standard input, one JSON line each; when that pipe closes, whoever is still on the list is stopped in order.
import { createInterface } from 'node:readline'
import { isAlive, signalProcess } from './processes.ts'

interface Held {
  readonly pid: number
  readonly signal: NodeJS.Signals
  readonly order: number
}

const GRACE_MS = 8_000
const held = new Map<number, Held>()

// Not taken along by a "killall node".
process.title = 'klatsch-leash'
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const said: { hold: Held } | { release: number } = JSON.parse(line)
  if ('hold' in said) held.set(said.hold.pid, said.hold)
  else held.delete(said.release)
}

for (const order of [...new Set([...held.values()].map((each) => each.order))].sort((a, b) => a - b)) {
  const group = [...held.values()].filter((each) => each.order === order)
  for (const { pid, signal } of group) {
    signalProcess(pid, 'SIGCONT')
    signalProcess(pid, signal)
  }
  const deadline = Date.now() + GRACE_MS
  while (Date.now() < deadline && group.some(({ pid }) => isAlive(pid))) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  for (const { pid } of group) if (isAlive(pid)) signalProcess(pid, 'SIGKILL')
}

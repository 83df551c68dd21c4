import type { Progress } from '../engine/run.ts'
import { number, secondsOf } from './print.ts'

const TTY_MS = 250
const PIPE_MS = 5_000

/** What a drill says while it runs: one line that changes on a terminal, one every 5 s in a pipe; what happens above it. */
export interface Live {
  log(line: string): void
  follow(progress: () => Progress): void
  stop(): void
}

export function liveLine(out: NodeJS.WriteStream): Live {
  let progress: (() => Progress) | undefined
  let shown = false

  function clear(): void {
    if (shown) out.write('\r\u001b[2K')
    shown = false
  }
  function show(): void {
    if (!progress) return
    const line = `drill: ${inLine(progress())}`
    if (!out.isTTY) return void out.write(`${line}\n`)
    clear()
    out.write(line.slice(0, Math.max(20, out.columns - 1)))
    shown = true
  }
  const timer = setInterval(show, out.isTTY ? TTY_MS : PIPE_MS)
  timer.unref()

  return {
    log(line) {
      clear()
      out.write(`drill: ${line}\n`)
      if (out.isTTY) show()
    },
    follow(next) {
      progress = next
    },
    stop() {
      clearInterval(timer)
      clear()
      progress = undefined
    },
  }
}

function inLine({ phase, elapsedMs, sent, answered, seen }: Progress): string {
  if (phase === 'gathering') return 'people gather'
  const counts = `sent ${number(sent)} · answered ${number(answered)} · open ${number(sent - answered)} · seen ${number(seen)}`
  return `${secondsOf(elapsedMs)} ${phase} · ${counts}`
}

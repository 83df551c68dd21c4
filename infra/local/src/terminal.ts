import { styleText } from 'node:util'
import type { Progress } from './jars.ts'

/** What a person at the terminal gets to see. */
export interface Terminal {
  /** A sentence about the stack as a whole. */
  say(sentence: string): void
  /** A line that a part wrote; shown when it is a warning or worse, or no log entry at all. */
  line(part: string, text: string): void
  progress(what: string, progress: Progress): void
  box(lines: readonly string[]): void
}

const WARN = 40
/** The same words of the same part are not shown again for so long. */
const QUIET_MS = 10_000
const REMEMBERED = 200

export function terminal(out: NodeJS.WriteStream = process.stdout, now: () => number = Date.now): Terminal {
  // A terminal that was closed must not keep the parts from being stopped in order.
  out.on('error', () => {})
  const shown = new Map<string, number>()
  let percent = -1
  const write = (text: string) => out.write(`${text}\n`)
  const dim = (text: string) => styleText('dim', text, { stream: out })

  return {
    say: (sentence) => write(`${styleText(['bold', 'magenta'], 'klatsch', { stream: out })}  ${sentence}`),
    line(part, text) {
      const words = worthShowing(text)
      if (words === undefined) return
      const key = `${part} ${words}`
      if (now() - (shown.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
      if (shown.size >= REMEMBERED) shown.clear()
      shown.set(key, now())
      write(`${dim(part.padEnd(8))} ${words}`)
    },
    progress(what, { doneBytes, ofBytes, done, of }) {
      const next = Math.floor((100 * doneBytes) / ofBytes)
      if (next === percent) return
      const size = `${mb(doneBytes)} of ${mb(ofBytes)} MB, ${done} of ${of} files`
      if (out.isTTY) out.write(`\r${what}: ${next} % (${size})\x1b[K${done === of ? '\n' : ''}`)
      else if (Math.floor(next / 25) !== Math.floor(percent / 25)) write(`${what}: ${next} % (${size})`)
      percent = next
    },
    box(lines) {
      const width = Math.max(...lines.map((line) => line.length))
      const rule = '─'.repeat(width + 2)
      const framed = lines.map((line) => `${dim('│')} ${line.padEnd(width)} ${dim('│')}`)
      write(['', dim(`┌${rule}┐`), ...framed, dim(`└${rule}┘`), ''].join('\n'))
    },
  }
}

/** The message of a log entry that is a warning or worse, any other line as it is; undefined: only for the log file. */
export function worthShowing(text: string): string | undefined {
  if (text.trim() === '') return undefined
  if (!text.startsWith('{')) return text
  try {
    const entry: { level?: unknown; msg?: unknown; err?: { message?: unknown } } = JSON.parse(text)
    if (typeof entry.level !== 'number') return text
    if (entry.level < WARN) return undefined
    const cause =
      typeof entry.err?.message === 'string' && entry.err.message !== entry.msg
        ? ` (${entry.err.message})`
        : ''
    return `${String(entry.msg ?? '')}${cause}`
  } catch {
    return text
  }
}

const mb = (bytes: number): string => (bytes / 1_000_000).toFixed(0)

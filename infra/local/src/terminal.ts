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

const SHOWN = new Set(['warn', 'error', 'fatal'])
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

/**
 * The message of a log entry that is a warning or worse, any other line as it is; undefined: only for the log file.
 * What the Kafka client warns of while a broker is away is not news: the supervisor says that it is.
 */
export function worthShowing(text: string): string | undefined {
  if (text.trim() === '') return undefined
  const entry = logEntry(text)
  if (!entry) return text
  const { level, msg = '', part = '', error, err } = entry
  if (!SHOWN.has(level) || (level === 'warn' && part.startsWith('kafkajs'))) return undefined
  const cause = error ?? err?.message
  return cause && cause !== msg ? `${msg} (${cause})` : msg
}

interface LogEntry {
  readonly level: string
  readonly msg?: string
  readonly part?: string
  readonly error?: string
  readonly err?: { readonly message?: string }
}

function logEntry(text: string): LogEntry | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    const entry: LogEntry = JSON.parse(text)
    return typeof entry.level === 'string' ? entry : undefined
  } catch {
    return undefined
  }
}

const mb = (bytes: number): string => (bytes / 1_000_000).toFixed(0)

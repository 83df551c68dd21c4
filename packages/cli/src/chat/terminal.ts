import { emitKeypressEvents, type Interface, type Key } from 'node:readline'
import { controls } from './controls.ts'
import type { Live } from './live.ts'
import { painted } from './row.ts'
import { type Screen, screenOf } from './screen.ts'

/** Changes within this time are one picture. */
const PAINT_MS = 25
const COUNTDOWN_MS = 500
/** After so long, Esc was the key itself and not the beginning of another one. */
const ESCAPE_MS = 60

// Another screen than the shell's, pasted text marked as such; and back.
const ENTER = '\u001b[?1049h\u001b[?2004h'
const LEAVE = '\u001b[?2004l\u001b[?1049l\u001b[?25h'
// A picture is shown as a whole where the terminal can do that.
const BEGIN = '\u001b[?2026h\u001b[?25l'
const END = '\u001b[?25h\u001b[?2026l'

export interface TerminalOptions {
  readonly live: (changed: () => void) => Live
  readonly room: string
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  readonly signal: AbortSignal
}

/** The chat on the whole terminal, until one leaves. Answers how many messages are not known to have been sent. */
export async function chatOnTerminal(options: TerminalOptions): Promise<number> {
  const { input, output, signal } = options
  let shown: readonly string[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const left = Promise.withResolvers<void>()
  const leave = () => left.resolve()
  const paintSoon = () => {
    timer ??= setTimeout(paint, PAINT_MS)
  }
  const live = options.live(paintSoon)
  const keys = controls(live, options.room, paintSoon, leave)

  function paint(): void {
    keys.settle()
    const size = { columns: output.columns || 80, rows: output.rows || 24 }
    const screen = screenOf(live.state, keys.view, size, Date.now())
    // What changes from here on is another picture.
    clearTimeout(timer)
    timer = undefined
    keys.painted(screen)
    const rows = rowsOf(screen)
    const news = rows.filter((row, index) => row !== shown[index])
    shown = rows
    const { row, column } = screen.cursor
    output.write(`${BEGIN}${news.join('')}\u001b[${row + 1};${column + 1}H${END}`)
  }
  const repaint = () => {
    shown = []
    output.write('\u001b[2J')
    paint()
  }
  const pressed = (text: string | undefined, key: Key) => keys.pressed(text, key)
  const restore = () => {
    input.setRawMode(false)
    output.write(LEAVE)
  }

  const ticking = setInterval(() => {
    if (live.state.connection.kind === 'waiting') paintSoon()
  }, COUNTDOWN_MS)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  input.once('end', leave)
  // However this process ends, the terminal is left as it was.
  process.once('exit', restore)
  // Of the interface that it takes, it reads this alone.
  emitKeypressEvents(input, { escapeCodeTimeout: ESCAPE_MS } as unknown as Interface)
  input.setRawMode(true)
  input.on('keypress', pressed)
  input.resume()
  output.on('resize', repaint)
  output.write(ENTER)
  repaint()
  try {
    await left.promise
    return await live.close()
  } finally {
    clearInterval(ticking)
    clearTimeout(timer)
    input.off('keypress', pressed)
    input.off('end', leave)
    output.off('resize', repaint)
    process.off('exit', restore)
    restore()
    input.pause()
  }
}

/** Each row of the terminal as what to write for it, from its first column to its last. */
function rowsOf({ main, rooms, members, mainAt, membersAt }: Screen): string[] {
  return main.map((row, index) => {
    const at = (column: number) => `\u001b[${index + 1};${column + 1}H`
    const left = rooms?.[index]
    const right = members?.[index]
    return [
      `${at(0)}\u001b[2K`,
      ...(left ? [painted(left)] : []),
      `${at(mainAt)}${painted(row)}`,
      ...(right ? [`${at(membersAt)}${painted(right)}`] : []),
    ].join('')
  })
}

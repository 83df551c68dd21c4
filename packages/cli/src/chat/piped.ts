import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { createClient } from '@klatsch/client'
import {
  KlatschError,
  knownEvent,
  type Room,
  roomSubject,
  type StreamEvent,
  streamId,
  type User,
} from '@klatsch/contracts'
import { type Entry, socketUrl } from './login.ts'
import { names } from './names.ts'
import { oneLine } from './text.ts'

/** Lines without an outcome before the next one is read. */
const WINDOW = 200
/** After the last line, so long is waited for the next outcome. */
const PATIENCE_MS = 60_000

/** What a shell learns. */
export const exitCodes = { confirmed: 0, wrong: 1, refused: 3, unknown: 4, interrupted: 130 } as const

export interface PipedOptions {
  readonly url: string
  readonly entry: Entry
  readonly room: Room
  readonly input: Readable
  readonly output: Writable
  /** One line for people: how the connection is, and what was refused. */
  readonly tell: (line: string) => void
  readonly json: boolean
  readonly signal: AbortSignal
}

/**
 * Sends each line of the input as a message, prints each event of the room, and ends when the input has ended and the
 * outcome of each line is known and printed. Answers the exit code.
 */
export async function chatPiped(options: PipedOptions): Promise<number> {
  const { entry, room, input, output, tell, json, signal } = options
  const subject = roomSubject(room.id)
  const people = new Map<string, User>([[entry.me.id, entry.me]])
  const who = names(entry.api, (users) => {
    for (const user of users) people.set(user.id, user)
  })
  const client = createClient({
    url: socketUrl(options.url),
    token: (stale) => entry.session.token(stale),
    follow: [subject],
  })
  let open = 0
  let refused = 0
  let printedSeq = 0
  let wantedSeq = 0
  let ended:
    | { readonly kind: 'interrupted' | 'unread' }
    | { readonly kind: 'over'; readonly why: string }
    | undefined
  let changed = Promise.withResolvers<void>()
  const moved = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const stop = (how: NonNullable<typeof ended>) => {
    ended ??= how
    moved()
  }
  const over = (why: string) => stop({ kind: 'over', why })
  signal.addEventListener('abort', () => stop({ kind: 'interrupted' }), { once: true })
  // A reader that goes away (`| head`) is no fault.
  output.on('error', () => stop({ kind: 'unread' }))

  let printing = Promise.resolve()
  const print = (event: StreamEvent) => {
    printing = printing.then(async () => {
      if (json) output.write(`${JSON.stringify(event)}\n`)
      else {
        await who.need(idsIn(event))
        const line = lineOf(event, people)
        if (line !== undefined) output.write(`${line}\n`)
      }
      printedSeq = event.seq
      moved()
    })
  }
  const stops = [
    client.on('event', print),
    client.on('state', (state) => {
      if (state.kind === 'waiting') tell(`offline (${oneLine(state.reason)}); trying again`)
      if (state.kind === 'stopped') over(oneLine(state.reason))
      moved()
    }),
    client.on('unfollowed', ({ code }) => over(`you are not in ${oneLine(room.name)} any more (${code})`)),
    client.on('reset', ({ head }) => {
      tell('too much was said meanwhile to print it all; it goes on from here')
      printedSeq = Math.max(printedSeq, head)
      moved()
    }),
    client.on('diverged', () => tell('what came did not fit what was there; it is fetched again')),
  ]
  const until = async (condition: () => boolean, patienceMs?: number): Promise<boolean> => {
    while (!condition() && ended === undefined) {
      const waited = patienceMs === undefined ? changed.promise : within(changed.promise, patienceMs)
      if ((await waited) === 'late') return false
    }
    return condition()
  }
  const send = (text: string) => {
    open += 1
    client.command('chat.message.send.v1', subject, { text }).outcome.then(
      ({ seq }) => {
        wantedSeq = Math.max(wantedSeq, seq)
        open -= 1
        moved()
      },
      (error: unknown) => {
        // Closing leaves it open: it is not known.
        if (error instanceof KlatschError && error.code === 'server.timeout') return
        open -= 1
        refused += 1
        tell(`not sent: ${oneLine(text.slice(0, 60))}: ${oneLine((error as Error).message)}`)
        moved()
      },
    )
  }

  try {
    client.connect()
    await until(() => client.state.kind === 'connected')
    // Made only now: what it reads before somebody takes it is lost.
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    void until(() => false).then(() => lines.close())
    for await (const line of lines) {
      if (ended !== undefined) break
      if (line.trim() !== '') send(line)
      await until(() => open < WINDOW)
    }
    await until(() => open === 0 && printedSeq >= wantedSeq, PATIENCE_MS)
    if (ended?.kind === 'over') tell(ended.why)
    if (open > 0) tell(`of ${open} ${open === 1 ? 'line' : 'lines'} it is not known whether they were sent`)
    if (open > 0) return exitCodes.unknown
    if (refused > 0) return exitCodes.refused
    if (ended?.kind === 'interrupted') return exitCodes.interrupted
    return ended?.kind === 'over' ? exitCodes.wrong : exitCodes.confirmed
  } finally {
    for (const end of stops) end()
    await client.close()
    await printing
  }
}

async function within(promise: Promise<void>, ms: number): Promise<'late' | undefined> {
  const late = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => late.resolve('late'), ms)
  try {
    return (await Promise.race([promise, late.promise])) ?? undefined
  } finally {
    clearTimeout(timer)
  }
}

function idsIn(event: StreamEvent): string[] {
  const known = knownEvent(event)
  const moved = known?.type === 'chat.member.joined.v1' || known?.type === 'chat.member.left.v1'
  return moved ? [known.data.user] : [streamId(event.actor)]
}

/** One line for people and for `grep`; undefined for what is nothing to read. */
export function lineOf(
  event: StreamEvent,
  people: ReadonlyMap<string, Pick<User, 'displayName'>>,
): string | undefined {
  const name = (id: string) => oneLine(people.get(id)?.displayName ?? id)
  const time = event.time.slice(0, 19)
  const by = name(streamId(event.actor))
  const known = knownEvent(event)
  switch (known?.type) {
    case 'chat.message.sent.v1':
      return `${time} ${by}: ${oneLine(known.data.text)}`
    case 'chat.member.joined.v1':
      return `${time} * ${name(known.data.user)} joined`
    case 'chat.member.left.v1':
      return `${time} * ${name(known.data.user)} left`
    case 'chat.room.created.v1':
    case 'chat.room.renamed.v1':
      return `${time} * ${by} named it ${oneLine(known.data.name)}`
    default:
      return undefined
  }
}

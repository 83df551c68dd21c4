import { roomSubject } from '@klatsch/contracts'
import { runningStack } from '../stack.ts'
import { goLive } from './live.ts'
import { askAt, enterRoom, logIn, socketUrl } from './login.ts'
import { chatPiped, exitCodes } from './piped.ts'
import { chatOnTerminal } from './terminal.ts'

export interface ChatOptions {
  readonly url?: string
  readonly name?: string
  readonly user?: string
  readonly room?: string
  readonly json?: boolean
}

/** The chat in a terminal; where input or output is none, a line for a line. Answers the exit code. */
export async function chat(
  options: ChatOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const { stdin: input, stdout: output, stderr } = process
  const url = (options.url ?? (env.KLATSCH_URL || runningStack(env).url)).replace(/\/+$/, '')
  socketUrl(url)
  const entry = await logIn(
    url,
    { ...options, ...(env.KLATSCH_PASSWORD ? { password: env.KLATSCH_PASSWORD } : {}) },
    askAt(input, stderr, signal),
  )
  try {
    const room = await enterRoom(entry.api, options.room)
    if (input.isTTY && output.isTTY && !options.json) {
      const open = await chatOnTerminal({
        live: (changed) => goLive(url, entry, changed),
        room: roomSubject(room.id),
        input,
        output,
        signal,
      })
      if (open === 0) return exitCodes.confirmed
      stderr.write(
        `klatsch: of ${open} ${open === 1 ? 'message' : 'messages'} it is not known whether they were sent.\n`,
      )
      return exitCodes.unknown
    }
    return await chatPiped({
      url,
      entry,
      room,
      input,
      output,
      tell: (line) => stderr.write(`klatsch: ${line}\n`),
      json: options.json === true,
      signal,
    })
  } finally {
    await entry.session.end()
  }
}

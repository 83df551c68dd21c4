import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { v7 } from 'uuid'
import { expect, inject, test } from 'vitest'
import { freshName, idOf, PASSWORD, registered, roomOf } from './people.ts'
import { enter, sendFrame } from './wire.ts'

const bot = fileURLToPath(new URL('../../examples/echo-bot.ts', import.meta.url))

test.for(['account', 'guest'] as const)('the echo bot of examples/ answers, as %s', async (as) => {
  const ada = await registered()
  const own = as === 'guest' ? 'room:global' : await roomOf(ada)
  const account = as === 'guest' ? undefined : await registered()
  // Of all that is hers: she is brought into the global room a moment after she has an account.
  const wire = await enter(ada.token)
  const who = account ? [account.user.username, PASSWORD] : [freshName()]
  const args = ['--disable-warning=ExperimentalWarning', bot, inject('stack').baseUrl, idOf(own), ...who]
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    // It joins first; what is said before it is there it does not hear.
    await wire.first((f) => f.type === 'chat.member.joined.v1' && f.subject === own)
    const text = `anyone here? ${v7()}`
    await expect
      .poll(
        () => {
          wire.send(sendFrame(v7(), own, text))
          return wire.events(own).some((event) => (event.data as { text?: string }).text === `Echo: ${text}`)
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBe(true)
  } finally {
    running.kill()
    wire.close()
  }
})

import { KlatschError } from '@klatsch/contracts'
import type { VerifyToken } from '@klatsch/service-kit'
import { backoffMs, pause, type Scheduler } from '@klatsch/streams'
import type { EndedSessions } from '../domain/ended-sessions.ts'

/** Refuses the tokens of sessions that ended, too. @throws KlatschError `auth.session_ended`, and what `verify` does */
export function ofLiveSessions(verify: VerifyToken, ended: EndedSessions): VerifyToken {
  return async (token) => {
    const user = await verify(token)
    if (ended.has(user.session)) throw new KlatschError('auth.session_ended')
    return user
  }
}

/** Learns of the sessions that ended before this process could hear of it; asks until it is told. */
export async function learnEndedSessions(
  ended: EndedSessions,
  ask: () => Promise<readonly string[]>,
  options: { scheduler: Scheduler; random: () => number; warn: (fields: object, message: string) => void },
): Promise<void> {
  const { scheduler, random, warn } = options
  for (let failures = 0; ; failures += 1) {
    try {
      for (const session of await ask()) ended.add(session)
      return
    } catch (err) {
      warn({ err }, 'chat does not tell which sessions have ended; asking again')
      await pause(scheduler, backoffMs(failures, 250, 3_000, random))
    }
  }
}

import { limits, type WelcomeFrame } from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import type { Rate } from '../domain/token-bucket.ts'
import type { Hub } from './hub.ts'

export function welcome(
  user: AuthenticatedUser,
  session: string,
  rate: Rate,
  streams: readonly { readonly subject: string; readonly first: number }[],
  hub: Hub,
  time: string,
): WelcomeFrame {
  return {
    type: 'welcome',
    session,
    user: {
      id: user.id,
      username: user.username,
      displayName: user.displayName,
      guest: user.guest,
      admin: user.admin,
    },
    streams: streams.map(({ subject, first }) => ({ subject, first, head: hub.head(subject).seq })),
    limits: {
      frameBytes: limits.frameBytes,
      messageChars: limits.messageChars,
      commandsPerSecond: rate.perSecond,
      pingMs: limits.pingMs,
      resumeEvents: limits.resumeEvents,
    },
    time,
  }
}

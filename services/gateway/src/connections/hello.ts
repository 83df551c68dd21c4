import { limits, type WelcomeFrame } from '@klatsch/contracts'
import type { AuthenticatedUser } from '@klatsch/service-kit'
import type { Rate } from '../domain/token-bucket.ts'
import type { Follower } from './followers.ts'
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

/** Stands in while a connection opens: notes which rooms are joined in between. */
export function lateFollower(userId: string, late: Map<string, number>): Follower {
  return {
    userId,
    congested: false,
    crowded: false,
    closed: false,
    push() {},
    send() {},
    ended() {},
    joined: (subject, seq) => void late.set(subject, seq),
  }
}

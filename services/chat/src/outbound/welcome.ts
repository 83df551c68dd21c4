import { followUpId, GLOBAL_ROOM, type User, userSubject } from '@klatsch/contracts'
import type { Publisher } from '@klatsch/event-bus'
import { commandRecord } from './announce.ts'
import { answering, type PrismaClient } from './prisma.ts'

export interface Welcome {
  /**
   * Sees to it that this user has once been brought into the global room: by a command on the log, like every write.
   * Does not wait for it. What fails is made up for when the user is next seen; who has left stays away.
   */
  bringIn(user: User): void
}

export function globalRoomWelcome(options: {
  readonly prisma: PrismaClient
  readonly publisher: Publisher
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}): Welcome {
  const { prisma, publisher, now, onFault } = options

  async function bringIn(user: User): Promise<void> {
    const actor = userSubject(user.id)
    const id = followUpId(user.id, 'join.global')
    const done = await answering(prisma.commandOutcome.findUnique({ where: { actor_id: { actor, id } } }))
    if (done) return
    const join = commandRecord({
      specversion: '1.0',
      id,
      source: 'chat',
      type: 'chat.room.join.v1',
      subject: GLOBAL_ROOM,
      time: new Date(now()).toISOString(),
      datacontenttype: 'application/json',
      actor,
      ...(user.guest ? { guest: true } : {}),
      data: {},
    })
    await publisher.publish([join])
  }

  return { bringIn: (user) => void bringIn(user).catch(onFault) }
}

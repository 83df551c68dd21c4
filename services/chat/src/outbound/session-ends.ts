import { followUpId, userSubject } from '@klatsch/contracts'
import type { Publisher } from '@klatsch/event-bus'
import type { Accounts } from './accounts.ts'
import { commandRecord } from './announce.ts'

const AT_A_TIME = 500

export interface SessionEnds {
  /**
   * Sees to it that the streams of those whose sessions were revoked learn of it, by commands on the log. Does not wait
   * for it. The table tells what was said, so that a crash in between only says it again, under the same id; to be called
   * after a revocation and every few seconds.
   */
  tell(): void
}

export function tellSessionEnds(options: {
  readonly accounts: Pick<Accounts, 'endsToTell' | 'endsTold'>
  readonly publisher: Publisher
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}): SessionEnds {
  const { accounts, publisher, now, onFault } = options
  let running = false
  let again = false

  async function work(): Promise<void> {
    for (;;) {
      const ends = await accounts.endsToTell(AT_A_TIME)
      if (ends.length === 0) return
      const time = new Date(now()).toISOString()
      await publisher.publish(
        ends.map(({ sessionId, userId }) =>
          commandRecord({
            specversion: '1.0',
            id: followUpId(sessionId, 'session.end'),
            source: 'chat',
            type: 'chat.session.end.v1',
            subject: userSubject(userId),
            time,
            datacontenttype: 'application/json',
            actor: 'system:chat',
            data: { session: sessionId },
          }),
        ),
      )
      await accounts.endsTold(ends.map(({ sessionId }) => sessionId))
    }
  }

  function tell(): void {
    again = true
    if (running) return
    again = false
    running = true
    work()
      .catch(onFault)
      .finally(() => {
        running = false
        if (again) tell()
      })
  }

  return { tell }
}

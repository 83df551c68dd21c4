import { expect, test } from 'vitest'
import { hubOver, reader, seqs, subject, truth, virtualTime } from '../../test/engine.ts'
import type { ConnectionContext } from './context.ts'
import { Following } from './following.ts'

test('[W8] [W9] what follow said of a room holds, whether its joining is heard of before, meanwhile or after', async () => {
  for (const followAt of [0, 5, 15, 60]) {
    for (const joinedAt of [0, 5, 15, 60]) {
      const time = virtualTime()
      const record = truth()
      record.append()
      // The question that is asked first is answered last.
      let wait = 40
      const hub = hubOver(record, time, () => {
        wait /= 2
        return wait
      })
      const socket = Object.assign(reader(), { joined() {}, endSession() {} })
      const context = { hub, scheduler: time.scheduler, random: () => 0, warn() {} }
      const following = new Following(context as unknown as ConnectionContext, socket)
      following.begin({ type: 'hello', token: '', follow: 'all', cursors: {}, mode: 'digest' }, [])
      time.scheduler.after(followAt, () => following.follow({ type: 'follow', subject, mode: 'full' }))
      time.scheduler.after(joinedAt, () => following.joined(subject, 1))
      await time.pass(200)
      hub.accept([record.append()])
      await time.pass(2_000)
      expect({ followAt, joinedAt, told: seqs(socket.frames).at(-1) }).toEqual({
        followAt,
        joinedAt,
        told: 2,
      })
      hub.close()
    }
  }
})

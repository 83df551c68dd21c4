import { controlsOfDataDir } from '@klatsch/drills'
import { expect, inject, test } from 'vitest'
import { registered } from './people.ts'
import { states, told, watch } from './presence-wire.ts'
import { enter } from './wire.ts'

test('[S4] presence killed with -9: nobody who is here blinks, and who left meanwhile is gone', async () => {
  const controls = controlsOfDataDir(inject('stack').dataDir)
  const [ada, bob, cid, dot] = await Promise.all([registered(), registered(), registered(), registered()])
  const [mine, theirs] = [await enter(ada.token), await enter(bob.token)]
  const leaving = await enter(cid.token)
  watch(mine, [bob, cid, dot])
  await Promise.all([told(mine, bob, 'online'), told(mine, cid, 'online'), told(mine, dot, 'offline')])
  const before = states(mine, bob).length
  await controls.kill('presence')
  leaving.close()
  const coming = await enter(dot.token)
  await told(mine, cid, 'offline')
  await told(mine, dot, 'online')
  await Promise.all([coming.roundTrip(), theirs.roundTrip()])
  expect(states(mine, bob).slice(before)).toEqual([])
})

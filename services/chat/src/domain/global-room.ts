import { GLOBAL_ROOM } from '@klatsch/contracts'
import type { BatchRequest, BatchWrites, LoadedBatch } from './command-store.ts'
import type { NewEvent } from './decision.ts'
import { emptyHead, sealEvent } from './events.ts'
import { project } from './projections.ts'
import { evolveRoom, noRoom } from './room.ts'

/** The command that the global room is said to come from; no client can send it, for none is `system:chat`. */
const GENESIS = { actor: 'system:chat', id: '00000000-0000-7000-8000-000000000001', subject: GLOBAL_ROOM }

const created: NewEvent = {
  type: 'chat.room.created.v1',
  data: { name: 'Global', topic: 'Everyone is here', visibility: 'public' },
}

export const globalRoomRequest: BatchRequest = {
  streams: [GLOBAL_ROOM],
  create: [GLOBAL_ROOM],
  outcomes: [],
  members: [],
  userRooms: [],
}

/** Makes the global room where there is none yet; the sweep publishes it. */
export function makeGlobalRoom(loaded: LoadedBatch, now: number, newSalt: () => string): BatchWrites {
  const exists = (loaded.heads.get(GLOBAL_ROOM)?.seq ?? 0) > 0
  const { event, head } = sealEvent(emptyHead, GENESIS, 0, created, now, newSalt())
  const events = exists ? [] : [event]
  return {
    events,
    outcomes: [],
    ended: [],
    heads: new Map(exists ? [] : [[GLOBAL_ROOM, head]]),
    projections: project(events),
    rooms: new Map([[GLOBAL_ROOM, evolveRoom(noRoom, created)]]),
  }
}

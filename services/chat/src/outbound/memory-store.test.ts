import { describe } from 'vitest'
import { storeContract } from '../../test/store-contract.ts'
import { globalRoomRequest, makeGlobalRoom } from '../domain/global-room.ts'
import { memoryStore } from './memory-store.ts'

describe('the record in memory', () => {
  storeContract(async () => {
    const store = memoryStore()
    await store.transact(globalRoomRequest, (loaded) => makeGlobalRoom(loaded, 0, () => 'salt'))
    return {
      store,
      async tables() {
        const { events, heads, outcomes, members, userRooms, messages } = store
        const rooms = [...store.rooms].flatMap(([name, room]) => {
          if (room.kind === 'none') return []
          const { name: called, topic, visibility, memberCount } = room
          return [[name, { name: called, topic, visibility, memberCount }] as const]
        })
        return structuredClone({
          events,
          heads,
          outcomes,
          members,
          userRooms,
          messages,
          rooms: new Map(rooms),
        })
      },
      async end() {},
    }
  })
})

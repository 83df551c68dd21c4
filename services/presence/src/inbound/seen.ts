import { seenSchema } from '@klatsch/contracts'
import type { BatchHandler } from '@klatsch/event-bus'
import type { Memory } from '../domain/memory.ts'

/** Learns from `presence.seen` what all instances wrote there, ever. What cannot be read is passed over. */
export function learnSeen(memory: Memory): BatchHandler {
  return async (records) => {
    for (const { key, value } of records) {
      let read: unknown
      try {
        read = JSON.parse(value.toString())
      } catch {
        continue
      }
      const seen = seenSchema.safeParse(read)
      if (seen.success) memory.note(key, seen.data)
    }
  }
}

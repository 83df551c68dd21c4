import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Receiver } from 'ws'
import { bodyOfTextFrame, textFrame } from './text-frame.ts'

test('frames of every length are what a WebSocket parser reads back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 100_000), async (length) => {
      const payload = Buffer.alloc(length, 'ä')
      if (length % 2) payload[length - 1] = 0x61
      const frame = textFrame(payload)
      expect(bodyOfTextFrame(frame).equals(payload)).toBe(true)
      const receiver = new Receiver({ isServer: false })
      const message = new Promise<Buffer>((resolve) => receiver.on('message', resolve))
      receiver.write(frame)
      expect((await message).equals(payload)).toBe(true)
    }),
  )
})

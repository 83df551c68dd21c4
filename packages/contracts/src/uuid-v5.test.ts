import fc from 'fast-check'
import { expect, test } from 'vitest'
import { v5 } from './uuid-v5.node.ts'
import { v5 as portable } from './uuid-v5.ts'

test('[C4] ids are derived alike on servers and in browsers', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.uuid(), (name, namespace) => {
      expect(v5(name, namespace)).toBe(portable(name, namespace))
    }),
  )
  expect(() => v5('x', 'user:1')).toThrow(TypeError)
})

import { expect, test } from 'vitest'
import { z } from 'zod'
import { labAllowed, labSettings, readConfig } from './config.ts'

const schema = z.object(labSettings).superRefine(labAllowed)

test('the laboratory is off by itself, and refused in production with a reason unless it is allowed there', () => {
  expect(readConfig(schema, {}).LAB_ENABLED).toBe(false)
  expect(readConfig(schema, { NODE_ENV: 'production' }).LAB_ENABLED).toBe(false)
  expect(readConfig(schema, { LAB_ENABLED: 'true' }).LAB_ENABLED).toBe(true)
  const inProduction = { LAB_ENABLED: 'true', NODE_ENV: 'production' }
  expect(() => readConfig(schema, inProduction)).toThrow(
    /read every message .* LAB_IN_PRODUCTION=true allows it/,
  )
  expect(readConfig(schema, { ...inProduction, LAB_IN_PRODUCTION: 'true' }).LAB_ENABLED).toBe(true)
})

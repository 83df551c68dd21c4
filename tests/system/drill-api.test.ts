import type { LabDrill } from '@klatsch/contracts'
import { scenarioOf } from '@klatsch/drills'
import { expect, test } from 'vitest'
import { laboratory } from './administrator.ts'
import { call, registered } from './people.ts'

test('a drill is run by the laboratory, and its report is there when it is over', async () => {
  const ask = await laboratory()
  const { title, shows } = scenarioOf('reorder')
  const load = { people: 3, rooms: 2, perSecond: 20, seconds: 4 }
  const fault = { point: 'gateway.deliver', effect: { kind: 'duplicate' } }
  const steps = [
    { at: 1, do: 'fault', seconds: 2, fault },
    { at: 2, do: 'restart', parts: ['chat'] },
  ]
  const scenario = { name: 'a-short-one', title, shows, load, steps }
  const { status, body } = await ask('/drills', { method: 'POST', body: { scenario, seed: 3 } })
  expect(status, JSON.stringify(body)).toBe(202)
  const other = await ask('/drills', { method: 'POST', body: { scenario } })
  expect(other.body).toMatchObject({ code: 'server.overloaded' })
  const now = async (): Promise<LabDrill> => (await ask(`/drills/${body.id}`)).body
  await expect.poll(async () => (await now()).state, { timeout: 90_000, interval: 500 }).not.toBe('running')
  const { state, ok, says, report } = await now()
  expect({ state, ok }, says).toEqual({ state: 'done', ok: true })
  expect(report).toMatchObject({ seed: 3, unknown: 0, found: [] })
  expect(report?.sent).toBeGreaterThan(50)
  const { body: list } = await ask('/drills')
  expect(list.items[0]).toMatchObject({ id: body.id, state: 'done', ok: true })
}, 120_000)

test('a drill that is called off ends; what is no scenario, and who is no administrator, is refused', async () => {
  const ask = await laboratory()
  const load = { people: 2, rooms: 1, perSecond: 5, seconds: 600 }
  const scenario = { name: 'endless', title: 'Endless', shows: 'Nothing.', load, steps: [] }
  const { body } = await ask('/drills', { method: 'POST', body: { scenario } })
  expect((await ask(`/drills/${body.id}`, { method: 'DELETE' })).body).toMatchObject({ state: 'cancelled' })
  const wrong = await ask('/drills', {
    method: 'POST',
    body: { scenario: { ...scenario, steps: [{ do: 'x' }] } },
  })
  expect(wrong.body).toMatchObject({ code: 'request.invalid' })
  const itself = await ask('/drills', { method: 'POST', body: { scenario: scenarioOf('deploy') } })
  expect(itself).toMatchObject({ status: 409, body: { code: 'drill.not_here' } })
  const { token } = await registered()
  expect((await call('POST', '/api/lab/drills', { token, body: { scenario } })).status).toBe(403)
}, 60_000)

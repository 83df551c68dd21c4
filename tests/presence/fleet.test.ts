import type { DrillReport } from '@klatsch/contracts'
import { type OpenTarget, ownStack, printDrill, runDrill, scenarioOf } from '@klatsch/drills'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The full form is `npm run drill -- ghost-hunt`. */
const PEOPLE = 150

let target: OpenTarget
let report: DrillReport

beforeAll(async () => {
  const hunt = scenarioOf('ghost-hunt')
  target = await ownStack({ gateways: 1, bugs: [], env: process.env, log: console.log })
  const scenario = { ...hunt, load: { ...hunt.load, audience: PEOPLE } }
  report = await runDrill({ scenario, target, seed: 11, log: console.log })
  console.log(printDrill(report))
}, 400_000)

afterAll(async () => {
  await target?.close(false)
}, 120_000)

const found = (name: string) => report.found.find(({ invariant }) => invariant === name)?.witnesses ?? []

describe(`${PEOPLE} people on three gateways, and two presence instances, which are killed, frozen and shut down`, () => {
  test('[S4] nobody is said to be here for more than 10 s after they went', () => {
    expect(found('ghosts')).toEqual([])
    expect(report.presence?.gone['gateway killed']?.count).toBeGreaterThan(PEOPLE / 10)
    expect(report.presence?.gone['gateway frozen']?.count).toBeGreaterThan(PEOPLE / 5)
    expect(report.presence?.gone['left as presence was killed']?.count).toBeGreaterThan(10)
  })

  test('[S4] nobody who is here is said to be offline', () => {
    expect(found('falseOffline')).toEqual([])
    expect(found('unseen')).toEqual([])
    expect(report.presence?.back['gateway woken']?.count).toBeGreaterThan(PEOPLE / 5)
  })

  test('[S3] each observer is told of everyone in the order of versions', () => {
    expect(found('versionOrder')).toEqual([])
    expect(report.presence?.told).toBeGreaterThan(2 * PEOPLE)
  })
})

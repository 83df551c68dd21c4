import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GhostHuntReport, printHunt, runGhostHunt, seededRandom } from '@klatsch/drills'
import { freePorts, type Stack, startStack } from '@klatsch/local-stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The full form is `npm run drill -- ghost-hunt`. */
const PEOPLE = 150
const SEED = 11

let dir: string
let stack: Stack
let report: GhostHuntReport

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'klatsch-fleet-'))
  const [port = 0] = await freePorts(1)
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...rest } = process.env
  const env = { ...rest, INTERNAL_TOKEN: randomUUID(), GUESTS_PER_MINUTE: '100000' }
  stack = await startStack({ port, dataDir: dir, env })
  report = await runGhostHunt({ stack, env, people: PEOPLE, random: seededRandom(SEED), log: console.log })
  console.log(printHunt(report))
}, 400_000)

afterAll(async () => {
  await stack?.stop()
  rmSync(dir, { recursive: true, force: true })
}, 120_000)

describe(`${PEOPLE} people on three gateways, and two presence instances, which are killed, frozen and shut down`, () => {
  test('[S4] nobody is said to be here for more than 10 s after they went', () => {
    expect(report.ghosts).toEqual([])
    expect(report.gone['gateway killed']?.length).toBeGreaterThan(PEOPLE / 10)
    expect(report.gone['gateway frozen']?.length).toBeGreaterThan(PEOPLE / 3)
    expect(report.gone['left as presence was killed']).toHaveLength(20)
  })

  test('[S4] nobody who is here is said to be offline', () => {
    expect(report.falseOffline).toEqual([])
    expect(report.unseen).toEqual([])
    expect(report.back['gateway woken']?.length).toBeGreaterThan(PEOPLE / 3)
  })

  test('[S3] each observer is told of everyone in the order of versions', () => {
    expect(report.outOfOrder).toEqual([])
    expect(report.told).toBeGreaterThan(2 * PEOPLE)
  })
})

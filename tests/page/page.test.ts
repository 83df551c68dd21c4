// The page in a real browser, on the real stack; one of each for all suites, since starting them takes longest.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { beingHere } from './being-here.ts'
import { checking } from './checking.ts'
import { comingIn } from './coming-in.ts'
import { beingCutOff } from './cut-off.ts'
import { digests } from './digests.ts'
import { findingOnesWay } from './finding.ts'
import { reachingEverything } from './reach.ts'
import { sharingTabs } from './tabs.ts'
import { talking } from './talking.ts'
import { createRoom, freshName, type House, joinRoom, openHouse, register, type Visits } from './visitors.ts'

let house: House
let dataDir: string
const open: Page[] = []

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'klatsch-page-'))
  house = await openHouse(dataDir)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((page) => page.context().close()))
  expect(house.complaints).toEqual([])
})
afterAll(async () => {
  await house?.close()
  rmSync(dataDir, { recursive: true, force: true })
})

const visits: Visits = {
  house: () => house,
  async visit(options) {
    const page = await house.visit(options)
    open.push(page)
    return page
  },
  async twoInARoom(options) {
    const [one, two] = await Promise.all([visits.visit(options), visits.visit()])
    await Promise.all([register(one, freshName('one')), register(two, freshName('two'))])
    const room = freshName('Room')
    await createRoom(one, room)
    await joinRoom(two, room)
    return { one, two, room }
  },
}

comingIn(visits)
talking(visits)
beingHere(visits)
checking(visits)
digests(visits)
beingCutOff(visits)
findingOnesWay(visits)
reachingEverything(visits)
sharingTabs(visits)

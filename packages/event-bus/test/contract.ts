import { afterEach, beforeEach } from 'vitest'
import { deliveryContract } from './delivery.ts'
import { faultContract } from './faults.ts'
import type { BusHarness } from './harness.ts'
import { membershipContract } from './membership.ts'
import { parkingContract } from './parking.ts'
import { policyContract } from './policies.ts'

/** The suite both buses pass. Each test has a harness of its own. */
export function busContract(makeHarness: () => Promise<BusHarness>): void {
  let harness: BusHarness
  beforeEach(async () => {
    harness = await makeHarness()
  })
  afterEach(() => harness.end())

  deliveryContract(() => harness)
  faultContract(() => harness)
  membershipContract(() => harness)
  policyContract(() => harness)
  parkingContract(() => harness)
}

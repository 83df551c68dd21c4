import { noBugs } from '@klatsch/contracts'
import { simulatedScheduler } from '@klatsch/streams/simulation'
import { expect, test } from 'vitest'
import { batchingPublisher } from './publisher.ts'
import type { Transport } from './transport.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

test('a record published at any moment, also while the last request is just over, is sent without another to push it', async () => {
  for (let turns = 0; turns < 40; turns++) {
    const transport: Transport = {
      checkTopic: async () => {},
      send: async () => {},
      renew: async () => {},
      close: async () => {},
    }
    // Its time stands still, so that no deadline can come to help.
    const scheduler = simulatedScheduler(1)
    const publisher = batchingPublisher(
      {},
      { transport, scheduler, random: Math.random, log: quiet, bugs: noBugs },
    )
    const publish = () => publisher.publish([{ topic: 't', key: 'k', value: 'v', headers: {} }])
    void publish()
    for (let i = 0; i < turns; i++) await Promise.resolve()
    let settled = false
    void publish().then(() => {
      settled = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled, `after ${turns} turns`).toBe(true)
    expect(publisher.queued).toBe(0)
  }
})

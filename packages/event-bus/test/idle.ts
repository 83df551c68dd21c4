// A bus with nothing to do: prints, as JSON, the share of one core it takes and the warnings Node gave.
import { setTimeout as sleep } from 'node:timers/promises'
import { kafkaEventBus } from '../src/kafka/bus.ts'
import { kafkaSettingsFromEnv } from '../src/kafka/env.ts'

const [topic = '', forMs = '5000'] = process.argv.slice(2)
const warnings: string[] = []
process.on('warning', (warning) => warnings.push(`${warning.name}: ${warning.message}`))

const bus = kafkaEventBus(kafkaSettingsFromEnv(process.env, 'idle'))
const publisher = await bus.publisher()
let got = 0
const consumer = await bus.consume({
  group: `idle-${process.pid}`,
  topics: [topic],
  start: 'end',
  handler: async () => {
    got++
  },
})
await consumer.ready
await publisher.publish([{ topic, key: 'k', value: 'v', headers: {} }])
while (got === 0) await sleep(10)
await sleep(1_000)
const before = process.cpuUsage()
await sleep(Number(forMs))
const { user, system } = process.cpuUsage(before)
await bus.close()
console.log(JSON.stringify({ share: (user + system) / 1_000 / Number(forMs), warnings }))

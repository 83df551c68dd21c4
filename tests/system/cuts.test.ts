import { printDrill, recordAt, resized, runDrill, runningStack, scenarioOf } from '@klatsch/drills'
import { expect, inject, test } from 'vitest'

// The long form: npm run drill -- lossy-network --seconds 600
test('[D2] [D3] [D5] people whose connections are cut, silenced, delayed and narrowed hundreds of times have what the record has', async () => {
  const { databaseUrl, dataDir } = inject('stack')
  const lines: string[] = []
  const { load, ...lossy } = scenarioOf('lossy-network')
  // More often than there: here it is the cuts that count, not how much is said between them.
  const spoilt = { ...lossy, load: { ...load, spoil: { ...load.spoil!, everyMs: 25 } } }
  const report = await runDrill({
    scenario: resized(spoilt, { seconds: 12, size: 0.6 }),
    target: { ...runningStack(dataDir), record: recordAt(databaseUrl) },
    log: (line) => lines.push(line),
  })
  console.log(printDrill(report))
  const story = lines.join('\n')
  expect(report.reasons, story).toEqual([])
  expect(report, story).toMatchObject({ ok: true, acked: report.sent, unknown: 0, rejected: 0 })
  const times = Object.values(report.spoilt).reduce((sum, count) => sum + count, 0)
  expect(times).toBeGreaterThan(200)
}, 120_000)

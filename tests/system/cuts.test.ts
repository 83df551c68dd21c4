import { printReport, runCutDrill } from '@klatsch/drills'
import { expect, inject, test } from 'vitest'

// The long form: npm run drill -- cut --seconds 600
test('[D2] [D3] [D5] people whose connections are cut, silenced, delayed and narrowed hundreds of times have what the record has', async () => {
  const { baseUrl, databaseUrl } = inject('stack')
  const lines: string[] = []
  const report = await runCutDrill({
    ...{ baseUrl, databaseUrl, clients: 12, rooms: 4, messages: 500 },
    everyMs: 25,
    durationMs: 12_000,
    seed: Date.now() % 1_000_000,
    log: (line) => lines.push(line),
  })
  console.log(printReport(report), lines.at(-1))
  const story = lines.join('\n')
  expect(report.anomalies, story).toEqual(
    Object.fromEntries(Object.keys(report.anomalies).map((name) => [name, []])),
  )
  expect(report, story).toMatchObject({ ok: true, sent: 500, acked: 500, unknown: 0, rejected: 0 })
  const spoilt = Object.values(report.mishaps).reduce((sum, count) => sum + count, 0)
  expect(spoilt).toBeGreaterThan(200)
}, 120_000)

import { controlsOfDataDir, printReport, runKillDrill } from '@klatsch/drills'
import { expect, inject, test } from 'vitest'

test('20 people in 20 rooms while everything is killed with -9: nothing lost, doubled or out of order', async () => {
  const { baseUrl, databaseUrl, dataDir } = inject('stack')
  const seed = Date.now() % 1_000_000
  const lines: string[] = []
  const report = await runKillDrill({
    baseUrl,
    databaseUrl,
    controls: controlsOfDataDir(dataDir),
    clients: 20,
    raw: 10,
    messages: 3_000,
    rooms: 20,
    kills: ['chat', 'gateway', 'kafka', 'postgres'],
    rounds: 1,
    seed,
    durationMs: 45_000,
    log: (line) => lines.push(line),
  })
  console.log(printReport(report))
  const story = lines.join('\n')
  expect(report.anomalies, story).toEqual(
    Object.fromEntries(Object.keys(report.anomalies).map((name) => [name, []])),
  )
  expect(report, story).toMatchObject({ ok: true, sent: 3_000, acked: 3_000, unknown: 0, rejected: 0 })
  expect(report.projectionDifferences).toBe(0)
}, 420_000)

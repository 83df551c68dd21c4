import { printDrill, recordAt, runDrill, runningStack, scenarioOf } from '@klatsch/drills'
import { expect, inject, test } from 'vitest'

test('20 people in 20 rooms while everything is killed with -9: nothing lost, doubled or out of order', async () => {
  const { databaseUrl, dataDir } = inject('stack')
  const lines: string[] = []
  // Once, in a minute; by `npm run drill -- kill-everything` it is twice, and ten thousand messages.
  const { load, steps, ...rest } = scenarioOf('kill-everything')
  const once = { ...rest, load: { ...load, perSecond: 66, seconds: 45 }, steps: steps.slice(0, 4) }
  const report = await runDrill({
    scenario: once,
    target: { ...runningStack(dataDir), record: recordAt(databaseUrl) },
    log: (line) => lines.push(line),
  })
  console.log(printDrill(report))
  const story = lines.join('\n')
  expect(report.reasons, story).toEqual([])
  expect(report, story).toMatchObject({ ok: true, acked: report.sent, unknown: 0, rejected: 0 })
  expect(report.sent).toBeGreaterThan(2_500)
  expect(report.steps.filter(({ tookMs }) => tookMs !== undefined)).toHaveLength(4)
}, 420_000)

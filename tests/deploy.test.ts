import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printDeployReport, runDeployDrill } from '@klatsch/drills'
import { freePorts, startStack } from '@klatsch/local-stack'
import { expect, test } from 'vitest'

test('[W11] every service is replaced while people talk: nothing lost, doubled or out of order, and nobody notices', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'klatsch-deploy-'))
  const [port = 0] = await freePorts(1)
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...env } = process.env
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  const stack = await startStack({ port, dataDir, env: { ...env, DRAIN_MS: '5000' }, gateways: 2, say: log })
  try {
    const report = await runDeployDrill({
      baseUrl: stack.urls.gateway,
      databaseUrl: stack.databaseUrl,
      restart: () => stack.restart([]),
      rounds: 1,
      sockets: 200,
      clients: 5,
      rate: 100,
      seed: Date.now() % 1_000_000,
      log,
    })
    console.log(printDeployReport(report))
    const story = [...lines, printDeployReport(report)].join('\n')
    expect(report.anomalies, story).toEqual(
      Object.fromEntries(Object.keys(report.anomalies).map((name) => [name, []])),
    )
    expect(report, story).toMatchObject({ ok: true, unknown: 0, rejected: 0, troubled: 0 })
    // Everyone was at one of the two gateways, and each of those was replaced.
    expect(report.moves).toBeGreaterThanOrEqual(200)
  } finally {
    await stack.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}, 240_000)

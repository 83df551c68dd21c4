// Two gateways on one port, and every service replaced under them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeCodes } from '@klatsch/contracts'
import { printDeployReport, registerAccounts, runDeployDrill } from '@klatsch/drills'
import { freePorts, type Stack, startStack } from '@klatsch/local-stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dial } from './system/wire.ts'

const lines: string[] = []
const log = (line: string) => lines.push(line)
let dataDir: string
let stack: Stack

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'klatsch-deploy-'))
  const [port = 0] = await freePorts(1)
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...env } = process.env
  stack = await startStack({ port, dataDir, env: { ...env, DRAIN_MS: '5000' }, gateways: 2, say: log })
})
afterAll(async () => {
  await stack?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

test('[H4] a session that ends is cut on every gateway', async () => {
  const [account] = await registerAccounts(stack.urls.gateway, 1)
  const token = await account!.session.token()
  // So many that the kernel gives some to each of the two.
  const sockets = await Promise.all(
    Array.from({ length: 12 }, () => dial({ url: `${stack.urls.gateway.replace('http', 'ws')}/ws` })),
  )
  for (const socket of sockets) socket.send({ type: 'hello', token, follow: [] })
  await Promise.all(sockets.map((socket) => socket.type('welcome')))
  await account!.session.end()
  for (const { code } of await Promise.all(sockets.map(({ closed }) => closed))) {
    expect(code).toBe(closeCodes.token)
  }
  const asked = await Promise.all(
    Array.from({ length: 12 }, () =>
      fetch(`${stack.urls.gateway}/api/rooms/global/messages`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          connection: 'close',
        },
        body: JSON.stringify({ text: 'still here?' }),
      }),
    ),
  )
  expect(new Set(asked.map(({ status }) => status))).toEqual(new Set([401]))
})

test('[W11] every service is replaced while people talk: nothing lost, doubled or out of order, and nobody notices', async () => {
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
}, 240_000)

// Two gateways on one port, and every service replaced under them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeCodes } from '@klatsch/contracts'
import {
  printDrill,
  recordAt,
  registerAccounts,
  resized,
  runDrill,
  scenarioOf,
  type Target,
} from '@klatsch/drills'
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
  const deploy = scenarioOf('deploy')
  const scenario = resized(
    {
      ...deploy,
      steps: deploy.steps.slice(0, 1),
      load: { ...deploy.load, people: 5, strict: 200, rooms: 20 },
    },
    { seconds: 5 },
  )
  const target: Target = {
    ...{ name: 'the stack', baseUrl: stack.urls.gateway, record: recordAt(stack.databaseUrl), bugs: [] },
    restart: () => stack.restart([]),
  }
  const report = await runDrill({
    scenario: { ...scenario, load: { ...scenario.load, perSecond: 100 } },
    ...{ target, log },
  })
  const story = [...lines, printDrill(report)].join('\n')
  console.log(printDrill(report))
  expect(report.reasons, story).toEqual([])
  expect(report, story).toMatchObject({ ok: true, acked: report.sent, unknown: 0, rejected: 0, troubles: 0 })
  // Everyone was at one of the two gateways, and each of those was replaced.
  expect(report.moves).toBeGreaterThanOrEqual(200)
}, 240_000)

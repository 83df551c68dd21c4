import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DrillReport, ScenarioFile } from '@klatsch/contracts'
import { pause, systemScheduler } from '@klatsch/streams'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Company, forMs, gather } from './company.ts'
import { composeStack, notUsable, removeAbandoned, type Stack } from './podman.ts'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const cli = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))

const LASTING = ['caddy', 'chat', 'gateway', 'kafka', 'postgres', 'presence']
const ONCE = ['create-topics', 'migrate', 'secrets']

const missing = await notUsable()

describe.skipIf(missing)(`the stack in containers [needs ${missing ?? 'podman'}]`, () => {
  let stack: Stack
  let company: Company | undefined

  beforeAll(async () => {
    await removeAbandoned()
    stack = await composeStack()
    await stack.build()
    await stack.up()
    await stack.healthy(120_000)
  }, 1_100_000)

  afterAll(async () => {
    await company?.close()
    await stack?.down()
  }, 180_000)

  test('one command brings everything up, and only Caddy can be reached from outside', async () => {
    const containers = await stack.containers()
    expect(containers.map(({ service }) => service).toSorted()).toEqual([...LASTING, ...ONCE].toSorted())
    for (const it of containers) {
      expect(it, it.service).toMatchObject(
        LASTING.includes(it.service) ? { running: true, health: 'healthy' } : { running: false, exitCode: 0 },
      )
      expect(it.ports, it.service).toEqual(it.service === 'caddy' ? [`127.0.0.1:${stack.port}`] : [])
    }
    const page = await fetch(stack.url)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<title>Klatsch')
  })

  test('nothing runs as root or can become it, and secrets are files of those who need them', async () => {
    for (const service of LASTING) {
      const status = await stack.run(service, ['cat', '/proc/1/status'])
      expect(status, service).toMatch(/^Uid:\s+[1-9]/m)
      // All that is ever to be had: nothing; for Caddy, low ports.
      expect(status, service).toMatch(service === 'caddy' ? /^CapBnd:\s+0+400$/m : /^CapBnd:\s+0+$/m)
      expect(status, service).toMatch(/^NoNewPrivs:\s+1$/m)
    }
    const secrets = await secretsOf(stack)
    for (const it of await stack.containers()) {
      for (const secret of secrets) {
        expect(secret.length).toBeGreaterThanOrEqual(32)
        expect(it.env.join('\n'), it.service).not.toContain(secret)
      }
    }
    await expect(stack.run('gateway', ['cat', '/secrets/chat/database-url'])).rejects.toThrow()
  })

  test('people talk, by our client and by bare sockets', async () => {
    company = await gather(stack.url, { people: 5, raw: 2, rooms: 2 })
    await company.talk(50, forMs(1_000))
    const { sent, acked, wrong } = await company.settle(30_000)
    expect({ acked, wrong }).toEqual({ acked: sent, wrong: [] })
    expect(sent).toBeGreaterThan(25)
  }, 90_000)

  test('what npm start passes at its public face, it passes', async () => {
    const files = ['http', 'sockets', 'following', 'presence'].map((name) => `tests/system/${name}.test.ts`)
    const env = { ...process.env, STACK_URL: stack.url }
    // Rejects with the output when a test fails.
    const { stdout } = await execute(process.execPath, [vitest, 'run', '--project', 'stack', ...files], {
      cwd: root,
      env,
      timeout: 300_000,
    })
    expect(stdout).toMatch(/\d+ passed/)
  }, 360_000)

  test.each(['gateway', 'chat', 'presence', 'kafka', 'postgres'])(
    '%s, killed while people write, comes back by itself; nothing is lost, doubled or out of order',
    async (service) => {
      const before = await stack.container(service)
      const talking = company!.talk(25, forMs(4_000))
      await pause(systemScheduler, 1_000)
      await stack.crash(service)
      await talking
      await expect
        .poll(() => stack.container(service), { timeout: 90_000, interval: 1_000 })
        .toSatisfy((now) => now.startedAt !== before.startedAt && now.health === 'healthy')
      await stack.healthy(60_000)
      const { sent, acked, wrong } = await company!.settle(90_000)
      expect({ acked, wrong }).toEqual({ acked: sent, wrong: [] })
    },
    300_000,
  )

  test('klatsch drills the containers: killed, frozen, replaced, one more launched, and the whole history holds', async () => {
    const klatsch = (...args: string[]) =>
      execute(process.execPath, [cli, ...args], { timeout: 240_000, maxBuffer: 64 * 1024 * 1024 })
    const on = ['--on', `compose:${stack.project}`]
    await expect(klatsch('drill', 'lossy-network', ...on)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /needs the laboratory: it is off.* needs proxies before Kafka and Postgres/,
      ),
    })
    const scenario: ScenarioFile = {
      ...{ name: 'containers', title: 'Containers', shows: 'That containers can be drilled.' },
      load: { people: 3, bare: 3, rooms: 3, perSecond: 30, seconds: 14 },
      steps: [
        { at: 0.5, jitter: 0, do: 'launch', service: 'chat', name: 'chat-b' },
        { at: 1, do: 'kill', parts: ['chat'] },
        { at: 6, do: 'freeze', part: 'gateway', seconds: 4 },
        { at: 11, do: 'restart', parts: ['presence'] },
        { at: 12, jitter: 0, do: 'stop', name: 'chat-b' },
      ],
    }
    const folder = mkdtempSync(join(tmpdir(), 'klatsch-drill-'))
    try {
      const file = join(folder, 'containers.json')
      writeFileSync(file, JSON.stringify(scenario))
      const report: DrillReport = JSON.parse(
        (await klatsch('drill', file, ...on, '--seed', '3', '--json')).stdout,
      )
      const { sent, judged, steps } = report
      expect(report).toMatchObject({ ok: true, reasons: [], acked: sent, unknown: 0, rejected: 0 })
      expect(sent).toBeGreaterThan(300)
      // Which only Postgres itself can tell.
      expect(judged).toContain('projection')
      expect(steps.map(({ tookMs }) => tookMs)).toEqual(steps.map(() => expect.any(Number)))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect((await stack.containers()).map(({ service }) => service).toSorted()).toEqual(
      [...LASTING, ...ONCE].toSorted(),
    )
  }, 400_000)

  test('klatsch freezes and wakes a container; what is not there cannot be killed', async () => {
    const klatsch = async (...args: string[]) =>
      (await execute(process.execPath, [cli, ...args, '--compose', stack.project], { timeout: 60_000 }))
        .stdout
    expect(await klatsch('freeze', 'presence', '--for', '30s')).toContain('is frozen for 30s')
    await expect(klatsch('kill', 'presence')).rejects.toThrow('presence is frozen')
    expect(await klatsch('wake', 'presence')).toContain('goes on')
    expect((await stack.container('presence')).running).toBe(true)
    await expect(klatsch('kill', 'nobody')).rejects.toThrow('there is no container of nobody')
  }, 120_000)

  test('of two gateways each is restarted while people write, and nobody is cut off', async () => {
    await stack.scaleGateways(2)
    await stack.healthy(60_000)
    const gateways = (await stack.containers()).filter(({ service }) => service === 'gateway')
    expect(gateways).toHaveLength(2)
    // Compose makes the first gateway anew as well, so those who were here are cut now, or notice a little later that they were.
    const people = await gather(stack.url, { people: 5, raw: 2, rooms: 2 })
    let restarting = true
    const talking = people.talk(5, () => restarting)
    try {
      for (const gateway of gateways) {
        await stack.restart(gateway)
        await stack.healthy(60_000)
      }
    } finally {
      restarting = false
      await talking
    }
    const { sent, acked, wrong } = await people.settle(60_000)
    expect({ acked, wrong }).toEqual({ acked: sent, wrong: [] })
    expect(people.troubles, people.troubles.length > 0 ? await stack.logs('gateway') : '').toEqual([])
    await people.close()
  }, 300_000)

  test('the same command again changes nothing', async () => {
    const before = await secretsOf(stack)
    await stack.up()
    await stack.healthy(60_000)
    expect(await secretsOf(stack)).toEqual(before)
    for (const service of ONCE) expect((await stack.container(service)).exitCode, service).toBe(0)
    const earlier = await company!.settle(30_000)
    await company!.talk(50, forMs(200))
    const { sent, acked, wrong } = await company!.settle(30_000)
    expect({ acked, wrong }).toEqual({ acked: sent, wrong: [] })
    expect(sent).toBeGreaterThan(earlier.sent)
  }, 480_000)

  test('taken down with its volumes, it leaves nothing', async () => {
    await company!.close()
    await stack.down()
    expect(await stack.leftovers()).toEqual([])
  }, 180_000)
})

/** The database's password and the token between the services. */
async function secretsOf(stack: Stack): Promise<string[]> {
  const url = await stack.run('chat', ['cat', '/secrets/chat/database-url'])
  const token = await stack.run('gateway', ['cat', '/secrets/internal/token'])
  return [new URL(url.trim()).password, token.trim()]
}

// npm start, as a person meets it: its words, its accounts, and what it leaves behind however it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test, vi } from 'vitest'
import { freePorts } from '../infra/local/src/ports.ts'
import { isAlive } from '../infra/local/src/processes.ts'
import { type RunFile, readRunFile } from '../infra/local/src/run-file.ts'

const main = fileURLToPath(new URL('../infra/local/src/main.ts', import.meta.url))
const READY_MS = 120_000

interface Started {
  readonly child: ChildProcess
  /** All it has printed. */
  readonly output: () => string
  /** Its exit code. */
  readonly end: Promise<number | null>
}

let dataDir: string
let port: number
const children: ChildProcess[] = []

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'klatsch-start-'))
  port = (await freePorts(1))[0]!
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGTERM')
})
afterAll(async () => {
  await vi.waitFor(() => expect(processesOf(readRunFile(dataDir)).filter(isAlive)).toEqual([]), {
    timeout: 30_000,
  })
  rmSync(dataDir, { recursive: true, force: true })
})

/** Nothing of the servers of this test run, which npm start would take for the user's own. */
function start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      ...process.env,
      KLATSCH_PARENT_FD: '3',
      ...{ KAFKA_BROKERS: '', DATABASE_URL: '', KLATSCH_DATA_DIR: dataDir, PORT: String(port) },
      ...env,
    },
    // A group of its own, as a terminal gives it, and a pipe that tells it when we are gone, as run.mjs gives it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  children.push(child)
  let printed = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk) => {
      printed += chunk
    })
  }
  const end = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFailed(() => console.error(`npm start printed:\n${printed}`))
  return { child, end, output: () => printed }
}

async function ready(started: Started): Promise<void> {
  const failed = started.end.then((code) =>
    Promise.reject(new Error(`ended with ${code}:\n${started.output()}`)),
  )
  const shown = vi.waitFor(() => expect(started.output()).toContain('Ctrl-C stops everything'), {
    timeout: READY_MS,
  })
  await Promise.race([shown, failed])
  failed.catch(() => {})
}

const processesOf = (run: RunFile | undefined): number[] =>
  Object.values(run?.parts ?? {}).flatMap((part) => part.process?.pid ?? [])

/** The password of a demo account, as printed. */
const passwordOf = (started: Started, name: string): string =>
  new RegExp(`${name}\\s+(\\S+)`).exec(started.output())?.[1] ?? ''

async function login(username: string, password: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  })
}

describe('npm start', () => {
  let password: string

  test('comes up with a page and two accounts, and everything that is killed comes back', async () => {
    const started = start()
    await ready(started)
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html' } })
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<script type="module"')
    password = passwordOf(started, 'ada')
    expect((await login('ada', password)).status).toBe(200)
    expect((await login('ben', passwordOf(started, 'ben'))).status).toBe(200)

    for (const name of ['gateway', 'chat', 'presence', 'lab', 'postgres', 'kafka']) {
      const { pid } = readRunFile(dataDir)!.parts[name]!.process!
      process.kill(pid, 'SIGKILL')
      await vi.waitFor(() => expect(started.output()).toContain(`${name} is back after`), { timeout: 60_000 })
    }
    await vi.waitFor(async () => expect((await login('ada', password)).status).toBe(200), {
      timeout: 30_000,
      interval: 200,
    })

    const pids = processesOf(readRunFile(dataDir))
    expect(pids).toHaveLength(6)
    const before = started.output().length
    // As Ctrl-C does: to everything that has the terminal.
    process.kill(-started.child.pid!, 'SIGINT')
    expect(await started.end).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    expect(started.output().slice(before)).toBe(
      'klatsch  stopping\nklatsch  stopped; nothing is left running\n',
    )
  })

  test('keeps its data, tells a second start who holds them, and leaves nothing behind when it is killed', async () => {
    const started = start()
    await ready(started)
    expect(passwordOf(started, 'ada')).toBe(password)
    expect((await login('ada', password)).status).toBe(200)

    const second = start([], { PORT: String(port + 1) })
    expect(await second.end).toBe(1)
    expect(second.output()).toContain(
      `in use by process ${started.child.pid}, which serves http://localhost:${port}`,
    )

    const pids = processesOf(readRunFile(dataDir))
    started.child.kill('SIGKILL')
    await started.end
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 40_000, interval: 200 })
  })

  test('says in one sentence what is wrong, and fails', async () => {
    const server = createServer().listen(port, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const busy = start()
    expect(await busy.end).toBe(1)
    expect(busy.output().trim()).toMatch(
      new RegExp(`^klatsch  Port ${port} is taken .*PORT=${port + 1} npm start$`),
    )
    server.close()

    const noJava = start([], { PATH: '/nonexistent', JAVA_HOME: '' })
    expect(await noJava.end).toBe(1)
    expect(noJava.output()).toMatch(/Kafka needs Java 17 or newer, and there is none .*KAFKA_BROKERS/)

    const unknown = start(['--rset'])
    expect(await unknown.end).toBe(1)
    expect(unknown.output()).toMatch(/'--rset'.*--help/)

    const help = start(['--help'])
    expect(await help.end).toBe(0)
    expect(help.output()).toContain('KLATSCH_DATA_DIR')
  })
})

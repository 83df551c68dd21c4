import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Problem } from './problem.ts'
import { isAlive } from './processes.ts'
import { type Part, type Supervised, supervise } from './supervisor.ts'

let dir: string
let running: Supervised[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'klatsch-supervisor-'))
})
afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()))
  running = []
  rmSync(dir, { recursive: true, force: true })
})

/** A part made of a line of JavaScript; ready when it has written its pid to a file. */
function part(code: string, more: Partial<Part> = {}): { spec: Part; pidFile: string } {
  const pidFile = join(dir, 'pid')
  const script = `require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); ${code}`
  const spec: Part = {
    name: 'thing',
    command: async () => {
      rmSync(pidFile, { force: true })
      return { file: process.execPath, args: ['-e', script] }
    },
    isReady: async () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '',
    stopping: { signal: 'SIGTERM', withinMs: 2_000, order: 1 },
    ...more,
  }
  return { spec, pidFile }
}
function watch(spec: Part, say: (sentence: string) => void = () => {}): Supervised {
  const supervised = supervise(spec, { say })
  running.push(supervised)
  return supervised
}
const FOREVER = 'setInterval(() => {}, 1000)'

describe('a part', () => {
  test('that is killed comes back, and the terminal is told both', async () => {
    const said: string[] = []
    const thing = watch(part(FOREVER).spec, (sentence) => said.push(sentence))
    await thing.start()
    const first = thing.pid!
    thing.kill('SIGKILL')
    await vi.waitFor(() => expect(thing.state.kind).not.toBe('ready'))
    await thing.ready()
    expect(thing.pid).not.toBe(first)
    expect(said).toEqual([
      'thing is down (killed by SIGKILL); starting it again',
      expect.stringMatching(/^thing is back after [\d.]+ s$/),
    ])
  })

  test('is stopped by its signal, and for good', async () => {
    const thing = watch(part(FOREVER).spec)
    await thing.start()
    const pid = thing.pid!
    await thing.stop()
    expect(isAlive(pid)).toBe(false)
    expect(thing.state.kind).toBe('stopped')
    expect(thing.pid).toBeUndefined()
    await thing.start()
    expect(thing.pid).not.toBe(pid)
  })

  test('that does not heed its signal is killed when its time is over', async () => {
    const { spec } = part(`process.on('SIGTERM', () => {}); ${FOREVER}`, {
      stopping: { signal: 'SIGTERM', withinMs: 200, order: 1 },
    })
    const thing = watch(spec)
    await thing.start()
    const pid = thing.pid!
    await thing.stop()
    expect(isAlive(pid)).toBe(false)
  })

  test('that is frozen is thawed to be stopped in order', async () => {
    const left = join(dir, 'left')
    const { spec } = part(
      `process.on('SIGTERM', () => { require('node:fs').writeFileSync(${JSON.stringify(left)}, ''); process.exit() }); ${FOREVER}`,
    )
    const thing = watch(spec)
    await thing.start()
    thing.kill('SIGSTOP')
    await thing.stop()
    expect(existsSync(left)).toBe(true)
  })

  test('that never comes up is given up after three tries, with its last words', async () => {
    const thing = watch(
      part("console.error('no such table'); process.exit(3)", { isReady: async () => false }).spec,
    )
    await expect(thing.start()).rejects.toThrow(Problem)
    await thing.stop()
    const again = watch(
      part("console.error('no such table'); process.exit(3)", { isReady: async () => false }).spec,
    )
    await expect(again.start()).rejects.toThrow(/thing does not start \(exit code 3\).*no such table/s)
  })

  test('that finds the disk full at its start is not tried again', async () => {
    const { spec } = part("console.error('write failed: No space left on device'); process.exit(1)", {
      isReady: async () => false,
    })
    await expect(watch(spec).start()).rejects.toThrow(/disk .* is full/)
  })

  test('whose program is missing says so', async () => {
    const { spec } = part('', { command: async () => ({ file: join(dir, 'nothing'), args: [] }) })
    await expect(watch(spec).start()).rejects.toThrow(/could not be run.*ENOENT/s)
  })
})

test('what is held on the leash ends in order when its owner is killed with -9', async () => {
  const leash = new URL('./leash.ts', import.meta.url).href
  const order = join(dir, 'order')
  writeFileSync(order, '')
  const child = (name: string) =>
    `spawn(process.execPath, ['-e', "process.on('SIGTERM', () => { require('node:fs').appendFileSync(process.argv[1], '${name} '); process.exit() }); process.send?.(0); setInterval(() => {}, 1000)", ${JSON.stringify(order)}], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })`
  const owner = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { spawn } from 'node:child_process'
       import { once } from 'node:events'
       import { hold } from ${JSON.stringify(leash)}
       const [last, first] = [${child('last')}, ${child('first')}]
       await Promise.all([once(last, 'message'), once(first, 'message')])
       hold({ pid: last.pid, signal: 'SIGTERM', order: 2 })
       hold({ pid: first.pid, signal: 'SIGTERM', order: 1 })
       console.log(last.pid, first.pid)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const pids = await new Promise<number[]>((resolve) => {
    owner.stdout.once('data', (chunk) => resolve(String(chunk).trim().split(' ').map(Number)))
  })
  owner.kill('SIGKILL')
  await vi.waitFor(() => expect(pids.some(isAlive)).toBe(false), { timeout: 10_000 })
  expect(readFileSync(order, 'utf8')).toBe('first last ')
})

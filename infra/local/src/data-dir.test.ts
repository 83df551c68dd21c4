import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDataDir } from './data-dir.ts'
import { Problem } from './problem.ts'
import { identityOf, isAlive } from './processes.ts'

let top: string
let path: string
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'klatsch-data-'))
  path = join(top, 'data')
})
afterEach(() => {
  rmSync(top, { recursive: true, force: true })
})
const open = (options: { port?: number; reset?: boolean } = {}) =>
  openDataDir(path, { port: 8080, reset: false, ...options })

async function ended(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => child.once('exit', resolve))
  return child.pid!
}

describe('a data folder', () => {
  test('is made for its owner alone, and found again', async () => {
    const first = await open()
    first.release()
    ;(await open()).release()
    expect(readdirSync(path)).toEqual(['klatsch-data.json'])
  })

  test('belongs to one at a time; the second is told who holds it', async () => {
    const first = await open({ port: 8123 })
    await expect(open()).rejects.toThrow(Problem)
    await expect(open()).rejects.toThrow(new RegExp(`process ${process.pid}.*localhost:8123`))
    first.release()
    ;(await open()).release()
  })

  test('whose holder was killed is free', async () => {
    mkdirSync(path)
    const pid = await ended()
    writeFileSync(
      join(path, 'lock.json'),
      JSON.stringify({ pid, identity: `${pid}@then`, port: 1, since: '' }),
    )
    ;(await open()).release()
  })

  test('is free when another process has the pid of its holder by now', async () => {
    mkdirSync(path)
    const lock = { pid: process.pid, identity: `${process.pid}@another boot`, port: 1, since: '' }
    writeFileSync(join(path, 'lock.json'), JSON.stringify(lock))
    ;(await open()).release()
  })

  test('whose holder was killed along with its leash: what it left running is ended first', async () => {
    ;(await open()).release()
    const orphan = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      detached: true,
      stdio: 'ignore',
    })
    const process_ = { pid: orphan.pid, identity: identityOf(orphan.pid!) }
    writeFileSync(
      join(path, 'run.json'),
      JSON.stringify({ parts: { kafka: { state: 'ready', process: process_ } } }),
    )
    writeFileSync(
      join(path, 'lock.json'),
      JSON.stringify({ pid: await ended(), identity: 'x', port: 1, since: '' }),
    )
    ;(await open()).release()
    expect(isAlive(orphan.pid!)).toBe(false)
  })

  test('that is half-written is refused, and --reset mends it', async () => {
    mkdirSync(join(path, 'postgres'), { recursive: true })
    await expect(open()).rejects.toThrow(/half-written.*--reset/)
    ;(await open({ reset: true })).release()
    expect(existsSync(join(path, 'postgres'))).toBe(false)
  })

  test('--reset removes what is ours and nothing else', async () => {
    ;(await open()).release()
    for (const name of ['kafka', 'postgres', 'logs']) mkdirSync(join(path, name))
    writeFileSync(join(path, 'thesis.txt'), 'years of work')
    ;(await open({ reset: true }).catch(() => ({ release() {} }))).release()
    expect(readdirSync(path)).toEqual(['thesis.txt'])
  })

  test('is not made where other things are', async () => {
    mkdirSync(path)
    writeFileSync(join(path, 'thesis.txt'), '')
    await expect(open()).rejects.toThrow(/holds other things \(thesis.txt\)/)
    expect(readdirSync(path)).toEqual(['thesis.txt'])
  })

  test('that is a file is refused with a sentence', async () => {
    writeFileSync(path, '')
    await expect(open()).rejects.toThrow(/not a folder/)
    expect(readFileSync(path, 'utf8')).toBe('')
  })

  test.runIf(process.platform === 'linux')('that cannot be written is refused with a sentence', async () => {
    path = '/sys/klatsch'
    await expect(open()).rejects.toThrow(/cannot be written.*KLATSCH_DATA_DIR/)
  })
})

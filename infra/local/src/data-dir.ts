import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode, explainFileError, Problem } from './problem.ts'
import { identityOf, signalProcess } from './processes.ts'
import { type ProcessName, readRunFile } from './run-file.ts'

export interface DataDir {
  readonly path: string
  /** Lets the next start have it. */
  release(): void
}

interface Lock extends ProcessName {
  readonly port: number
  readonly since: string
}

const MARKER = 'klatsch-data.json'
const LOCK = 'lock.json'
/** What a stack puts into its data folder, and all that `--reset` removes from it. */
const OURS = [MARKER, 'postgres', 'kafka', 'logs', 'cache', 'run.json', 'demo-accounts.json']
/** What a stack needs to come up and to write for a while. */
const ROOM_MB = { fresh: 250, warm: 50 }
const CLEANING_MS = 30_000

/**
 * Makes sure that `path` is a data folder of ours, whole, writable and used by nobody else, and holds it until
 * `release`. `port`: what to tell the next one who tries.
 */
export async function openDataDir(path: string, options: { port: number; reset: boolean }): Promise<DataDir> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const release = await lock(path, options.port)
    try {
      if (options.reset) for (const name of OURS) rmSync(join(path, name), { recursive: true, force: true })
      const fresh = claim(path)
      requireRoom(path, fresh ? ROOM_MB.fresh : ROOM_MB.warm)
    } catch (error) {
      release()
      throw error
    }
    return { path, release }
  } catch (error) {
    throw explainFileError(error, path)
  }
}

/** Marks an empty folder as ours. Anything else must carry the mark already; says whether it was fresh. */
function claim(path: string): boolean {
  const names = readdirSync(path).filter((name) => !name.startsWith(LOCK))
  if (names.includes(MARKER)) return false
  if (names.some((name) => OURS.includes(name))) {
    throw new Problem(
      `${path} is half-written: its making was interrupted, or a part of it was removed. ` +
        'Start afresh with "npm start -- --reset" (deletes all messages and accounts), or name another folder with KLATSCH_DATA_DIR.',
    )
  }
  if (names.length > 0) {
    throw new Problem(
      `${path} holds other things (${names.slice(0, 3).join(', ')}). Name an empty folder with KLATSCH_DATA_DIR.`,
    )
  }
  writeFileSync(join(path, MARKER), `${JSON.stringify({ format: 1, made: new Date().toISOString() })}\n`)
  return true
}

function requireRoom(path: string, wanted: number): void {
  const { bavail, bsize } = statfsSync(path)
  const free = Math.floor((bavail * bsize) / 2 ** 20)
  if (free >= wanted) return
  throw new Problem(
    `The disk that holds ${path} is full: ${free} MB are free, and ${wanted} MB are needed. ` +
      'Free some space, or name a folder on another disk with KLATSCH_DATA_DIR.',
  )
}

async function lock(path: string, port: number): Promise<() => void> {
  const file = join(path, LOCK)
  const mine = `${file}.${process.pid}`
  const own: Lock = {
    pid: process.pid,
    identity: identityOf(process.pid) ?? '',
    port,
    since: new Date().toISOString(),
  }
  for (;;) {
    writeFileSync(mine, JSON.stringify(own), { mode: 0o600 })
    try {
      linkSync(mine, file)
      rmSync(mine, { force: true })
      return () => rmSync(file, { force: true })
    } catch (error) {
      rmSync(mine, { force: true })
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const text = readText(file)
    const holder = parseLock(text)
    if (holder && identityOf(holder.pid) === holder.identity) throw heldBy(path, holder)
    await cleanUpAfter(path)
    takeAway(file, text)
  }
}

/** Removes a lock whose holder is no more; another one who is quicker keeps the lock made since. */
function takeAway(file: string, text: string): void {
  const aside = `${file}.${process.pid}.old`
  try {
    renameSync(file, aside)
    if (readText(aside) !== text) linkSync(aside, file)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EEXIST') throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

/** A holder that was killed may have left processes: its leash is stopping them, or was killed, too. */
async function cleanUpAfter(path: string): Promise<void> {
  const run = readRunFile(path)
  if (!run) return
  const lives = (process: ProcessName | undefined): boolean =>
    process !== undefined && identityOf(process.pid) === process.identity
  const deadline = Date.now() + CLEANING_MS
  while (lives(run.leash) && Date.now() < deadline) await sleep(100)
  const left = () =>
    Object.values(run.parts).flatMap((part) =>
      part.process && lives(part.process) ? [part.process.pid] : [],
    )
  for (const pid of left()) signalProcess(pid, 'SIGKILL')
  while (left().length > 0 && Date.now() < deadline) await sleep(20)
}

function heldBy(path: string, holder: Lock): Problem {
  return new Problem(
    `${path} is in use by process ${holder.pid}, which serves http://localhost:${holder.port} (since ${holder.since}). ` +
      `Stop that one (Ctrl-C there, or "kill ${holder.pid}"), or name another folder with KLATSCH_DATA_DIR and another port with PORT.`,
  )
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function parseLock(text: string): Lock | undefined {
  try {
    const lock: Lock = JSON.parse(text)
    return typeof lock.pid === 'number' ? lock : undefined
  } catch {
    return undefined
  }
}

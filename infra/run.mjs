// Runs a TypeScript file on the project's own Node, installing what is missing first.
// Works on Node 20 and later, with nothing but npm: node infra/run.mjs <file.ts> [arguments]
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  existsSync,
  mkdirSync,
  constants as modes,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { constants, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'
const node = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
const stamp = join(root, 'node_modules', '.klatsch-installed')
const lock = join(root, 'node_modules', '.klatsch-installing')
const STEP_MS = 15 * 60_000
const NPM_WATCH_MS = 500
const DISK_FULL = 'the disk is full. Free some space and run the same command again.'
const NOT_OURS = `${root} cannot be written by this user, and packages have to be installed there once. Run this as its owner, or in a copy of your own.`

function fail(message) {
  console.error(`klatsch: ${message}`)
  process.exit(1)
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** What the installed packages and the generated code were made from. */
function inputs() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'services/chat/prisma/schema.prisma']) {
    hash.update(read(join(root, file))).update('\0')
  }
  return hash.digest('hex')
}

/**
 * Where npm and pnpm keep what they downloaded: in the home folder, or, where there is none that can be written,
 * beside the installed packages. Settings in a home that can be read count all the same.
 */
function homeEnv() {
  const home = homedir()
  try {
    accessSync(home, modes.W_OK | modes.X_OK)
    return {}
  } catch {
    const HOME = join(root, 'node_modules', '.home')
    return { HOME, npm_config_cache: join(HOME, '.npm'), npm_config_userconfig: join(home, '.npmrc') }
  }
}

function step(what, command, args, env = {}) {
  const shown = process.stdout.isTTY ? 'inherit' : 'pipe'
  const done = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, CI: 'true', ...homeEnv(), ...env },
    stdio: ['ignore', shown, shown],
    encoding: 'utf8',
    shell: windows,
    timeout: STEP_MS,
  })
  if (done.status === 0) return
  rmSync(lock, { force: true })
  if (done.error?.code === 'ENOENT')
    fail(`${what} needs ${command}, which comes with Node: is it on the path?`)
  const output = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim().split('\n').slice(-15).join('\n')
  if (output) console.error(output)
  if (/ENOSPC|no space left/i.test(output)) fail(`${what} failed: ${DISK_FULL}`)
  if (/EACCES|EPERM|EROFS/.test(output)) fail(`${what} failed: ${NOT_OURS}`)
  fail(`${what} failed. Check that the npm registry can be reached, then run the same command again.`)
}

/** Two first starts at once must not install over each other. */
function takeLock() {
  try {
    mkdirSync(dirname(lock), { recursive: true })
  } catch (error) {
    fail(error.code === 'ENOSPC' ? DISK_FULL : NOT_OURS)
  }
  const deadline = Date.now() + 10 * 60_000
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if (error.code === 'ENOSPC') fail(DISK_FULL)
      if (error.code !== 'EEXIST') fail(NOT_OURS)
    }
    const owner = Number(read(lock))
    const alive = (() => {
      try {
        return owner > 0 && process.kill(owner, 0)
      } catch (error) {
        return error.code === 'EPERM'
      }
    })()
    const age = Date.now() - (existsSync(lock) ? statSync(lock).mtimeMs : Date.now())
    // Its owner has died, or another process has its number by now.
    if ((!alive && age > 1_000) || age > STEP_MS) rmSync(lock, { force: true })
    if (Date.now() > deadline) fail(`another install is running (process ${owner}); wait for it, or stop it.`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
}

/**
 * The process that has to be there for this script to go on: npm, which may have put a shell between. One that was
 * killed takes along what it started, instead of leaving it on a terminal that looks free.
 */
function npmAbove() {
  const [, comm, parent] = /\((.*)\) \S+ (\d+)/s.exec(read(`/proc/${process.ppid}/stat`)) ?? []
  return /^(ba|da|z)?sh$/.test(comm ?? '') ? `${process.ppid} ${parent}` : String(process.ppid)
}

const startedAt = Date.now() - Math.round(process.uptime() * 1_000)
const [major] = process.versions.node.split('.').map(Number)
if (major < 20) fail(`needs Node 20 or later to begin with; this is ${process.versions.node}.`)
const [file, ...args] = process.argv.slice(2)
if (!file) fail('usage: node infra/run.mjs <file.ts> [arguments]')

const wanted = inputs()
if (read(stamp) !== wanted || !existsSync(node)) {
  takeLock()
  try {
    if (read(stamp) !== wanted || !existsSync(node)) {
      console.error('klatsch: installing packages (once; about half a minute)')
      step('installing packages', windows ? 'npx.cmd' : 'npx', [
        '--yes',
        PNPM,
        'install',
        '--frozen-lockfile',
      ])
      // The generator asks for an engine binary that it never runs, and would download it; any file will do.
      const prisma = [
        'services/chat/node_modules/prisma/build/index.js',
        'generate',
        '--config',
        'services/chat/prisma.config.ts',
      ]
      step('generating the database client', node, prisma, {
        PRISMA_SCHEMA_ENGINE_BINARY: node,
        PRISMA_HIDE_UPDATE_MESSAGE: 'true',
        CHECKPOINT_DISABLE: '1',
      })
      writeFileSync(stamp, wanted)
    }
  } finally {
    rmSync(lock, { force: true })
  }
}

const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, file), ...args], {
  // The pipe is written by nobody: when it closes, the script knows that this process has ended, however it did.
  stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  env: {
    // Compiled code is kept for the next start, of the script and of all that it starts.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
    ...process.env,
    KLATSCH_PARENT_FD: '3',
    KLATSCH_STARTED_AT: String(startedAt),
  },
})
// The terminal sends Ctrl-C to the whole group; what is sent to this process alone is handed on.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
if (process.env.npm_lifecycle_event) {
  const before = npmAbove()
  const watch = setInterval(() => {
    if (npmAbove() === before) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, NPM_WATCH_MS)
  watch.unref()
}
child.on('error', (error) => fail(`cannot run ${node}: ${error.message}`))
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)))

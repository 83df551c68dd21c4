import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compressFiles } from './compress.ts'
import { projectRoot } from './paths.ts'
import { explainFileError } from './problem.ts'
import { runScript } from './scripts.ts'

const BUILD_MS = 180_000
/** Everything a built page is made of. */
const SOURCES = [
  'frontend',
  'infra/local/src/compress.ts',
  'packages/contracts',
  'packages/streams',
  'packages/client',
  'pnpm-lock.yaml',
]
const NOT_SOURCES = new Set(['node_modules', 'dist'])
const STAMP = '.made-from'

/** Builds the page where its sources changed since the last time, and gives the folder to serve. */
export async function buildPage(say: (sentence: string) => void, signal?: AbortSignal): Promise<string> {
  const folder = join(projectRoot, 'frontend', 'dist')
  const sources = hashOf(SOURCES.map((name) => join(projectRoot, name)))
  if (madeFrom(folder) === sources) return folder
  say('building the page')
  // Beside the old one, which another stack may be serving.
  const fresh = join(projectRoot, 'frontend', 'node_modules', `.page-${process.pid}`)
  try {
    await runScript({
      what: 'The page could not be built',
      script: join(projectRoot, 'frontend', 'node_modules', 'vite', 'bin', 'vite.js'),
      args: ['build', '--logLevel', 'warn', '--outDir', fresh],
      cwd: join(projectRoot, 'frontend'),
      env: { ...process.env, NODE_ENV: 'production' },
      withinMs: BUILD_MS,
      signal,
    })
    compressFiles(fresh)
    writeFileSync(join(fresh, STAMP), sources)
    rmSync(folder, { recursive: true, force: true })
    renameSync(fresh, folder)
  } catch (error) {
    // Somebody who built the same was faster.
    if (madeFrom(folder) !== sources) throw explainFileError(error, folder)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return folder
}

const madeFrom = (folder: string): string | undefined => {
  const stamp = join(folder, STAMP)
  return existsSync(stamp) ? readFileSync(stamp, 'utf8') : undefined
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) {
    for (const file of filesIn(path)) hash.update(file).update('\0').update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** Every file below, in a fixed order. */
function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .filter((name) => !NOT_SOURCES.has(name))
    .sort()
    .flatMap((name) => filesIn(join(path, name)))
}

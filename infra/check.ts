// npm run check: everything that can be said about the code without running it.
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const STEP_MS = 5 * 60_000

const tool = (name: string): string => join(root, 'node_modules', name)
const typescript = tool('typescript/bin/tsc')
const steps: Record<string, readonly string[]> = {
  types: [typescript, '-p', '.'],
  // Folders with a compiler configuration of their own: code for another place than Node.
  ...Object.fromEntries(
    globSync('{frontend,packages/*,services/*}/tsconfig.json', { cwd: root }).map((file) => [
      `types of ${file.split('/').slice(0, -1).join('/')}`,
      [typescript, '-p', file],
    ]),
  ),
  'lint and format': [tool('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'],
  'dead code': [tool('knip/bin/knip.js'), '--no-progress'],
  'generated documents': [join(root, 'infra/docs.ts'), '--check'],
  'package graph and documents': [
    tool('vitest/vitest.mjs'),
    'run',
    '--project',
    'separate',
    'tests/structure',
  ],
}

const results = await Promise.all(
  Object.entries(steps).map(async ([name, args]) => {
    const { ok, output, seconds } = await run(args)
    console.log(`${styleText(ok ? 'green' : 'red', ok ? 'ok  ' : 'FAIL')} ${name} (${seconds} s)`)
    return { name, ok, output }
  }),
)
const failed = results.filter(({ ok }) => !ok)
for (const { name, output } of failed) console.log(`\n${styleText('bold', name)}\n${output}`)
process.exitCode = failed.length > 0 ? 1 : 0

function run(args: readonly string[]): Promise<{ ok: boolean; output: string; seconds: string }> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const options = { cwd: root, timeout: STEP_MS, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim() || String(error ?? '')
      resolve({ ok: !error, output, seconds: ((performance.now() - startedAt) / 1_000).toFixed(1) })
    })
  })
}

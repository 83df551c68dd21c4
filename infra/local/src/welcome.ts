import { relative } from 'node:path'
import { projectRoot } from './paths.ts'
import type { Stack } from './stack.ts'

/** What is printed when the stack is ready. */
export function welcome(stack: Stack, dataDir: string): string[] {
  const startedAt = Number(process.env.KLATSCH_STARTED_AT) || performance.timeOrigin
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
  const dir = relative(projectRoot, dataDir).startsWith('..') ? dataDir : relative(projectRoot, dataDir)
  const accounts = stack.accounts.map(
    ({ username, password, role, usable }) =>
      `  ${username.padEnd(10)} ${usable ? password : '(a password of its own)'}${role === 'administrator' ? '   administrator' : ''}`,
  )
  return [
    `Klatsch is ready in ${seconds} s: ${stack.url}`,
    '',
    'Enter as a guest by any name, or log in as',
    ...accounts,
    '',
    'In another terminal:',
    '  npm run klatsch -- chat      talk there, too',
    '  npm run klatsch -- tail      watch the records of the log',
    '  npm run klatsch -- replay    read them again',
    '  npm run klatsch -- kill chat end a part with -9, and see it come back',
    '  npm run drill                lists drills: people write while things break, then all is checked',
    '',
    `Data and logs are in ${dir}. Ctrl-C stops everything.`,
  ]
}

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
    '  npm run klatsch -- tail        see the records of the log as they come',
    '  npm run klatsch -- replay      read a range of them again',
    '  npm run klatsch -- kill chat   end a part with -9, and watch it come back',
    '  npm run bench                  how fast it is on this machine',
    '',
    `Data and logs are in ${dir}. Ctrl-C stops everything.`,
  ]
}

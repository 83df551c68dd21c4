import { readFileSync } from 'node:fs'

/** What is read of Vitest's JSON report. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** A test that may be skipped says in its name what it would need: `brings the stack up [needs podman]`. */
const MAY_BE_SKIPPED = /\[needs [^\]]+\]/

/**
 * The last line of a test run, and whether all is well. Not well: a failed test, a file that could not be loaded, an
 * error outside of any test, a test skipped without a need in its name, no test at all. `chosen`: somebody asked for
 * some tests only, and the others are not missed.
 */
export function summarize(
  reportFile: string,
  run: { exitCode: number; chosen: boolean },
): { line: string; ok: boolean } {
  const report: Report | undefined = readReport(reportFile)
  if (!report) return { line: '0 passed, 1 failed', ok: false }
  const tests = report.testResults.flatMap((file) => file.assertionResults)
  const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed')
  const missed = run.chosen ? [] : skipped.filter((test) => !MAY_BE_SKIPPED.test(test.fullName))
  for (const test of missed) console.log(`skipped, and should not be: ${test.fullName}`)
  const unloadable = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  let failed = report.numFailedTests + unloadable.length + missed.length
  if (failed === 0 && (run.exitCode !== 0 || report.numPassedTests === 0)) failed = 1
  const others = skipped.length - missed.length
  return {
    line: `${report.numPassedTests} passed, ${failed} failed${others ? `, ${others} skipped` : ''}`,
    ok: failed === 0,
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

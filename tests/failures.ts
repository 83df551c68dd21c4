import type { Reporter, TestCase } from 'vitest/node'

/** Says why a test failed as soon as it did: of a run that was ended early, nothing else would say so. */
export default class implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { errors = [] } = test.result()
    for (const { message, diff, stack = '' } of errors) {
      const ours = stack.split('\n').filter((line) => !line.includes('node_modules'))
      console.error([`\nfailed: ${test.fullName}`, message, diff ?? '', ...ours.slice(1)].join('\n'))
    }
  }
}

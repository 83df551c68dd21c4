import { expect, test } from 'vitest'
import { createRequests, type Outcome } from './requests.ts'

test('[H2] only what is on the log is said to be decided later', () => {
  let now = 0
  const requests = createRequests({ instance: 'here', timeoutMs: 10_000, max: 10, now: () => now })
  const answers: Record<string, Outcome> = {}
  const open = (command: string) =>
    requests.open('user:ada', command, (outcome) => {
      answers[command] = outcome
    })!
  requests.appended(open('on the log'))
  open('on its way')
  now = 9_999
  requests.expire()
  expect(answers).toEqual({})
  now = 10_000
  requests.expire()
  expect(answers).toMatchObject({
    'on the log': { state: 'unknown', code: 'server.timeout' },
    'on its way': { state: 'unknown', code: 'server.unavailable' },
  })
})

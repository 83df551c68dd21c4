import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { fairBatcher } from './fair-batcher.ts'
import { endOfTurn } from './turn.ts'

/** A batcher whose requests are answered when the test says so. */
function asking(
  limits: {
    size?: number
    requests?: number
    perPerson?: number
    maxWaiting?: number
    maxPerPerson?: number
  } = {},
) {
  const requests: { questions: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = []
  const batcher = fairBatcher<string, string>({
    send: (questions) =>
      new Promise((resolve, reject) => {
        const answer = () => resolve(questions.map((question) => `${question}!`))
        requests.push({ questions, answer, fail: reject })
      }),
    keyOf: (question) => question,
    size: 3,
    requests: 1,
    perPerson: 100,
    maxWaiting: 100,
    maxPerPerson: 100,
    ...limits,
    atEndOfTurn: endOfTurn(),
  })
  return { batcher, requests, sent: () => requests.map(({ questions }) => questions.join(' ')) }
}

test('what is asked in one turn goes in one request, what is asked meanwhile in the next', async () => {
  const { batcher, requests, sent } = asking()
  const answers = [batcher.ask('a', 'ada'), batcher.ask('b', 'bob')]
  await turn()
  expect(sent()).toEqual(['a b'])
  answers.push(batcher.ask('c', 'ada'), batcher.ask('d', 'bob'))
  await turn()
  expect(sent()).toEqual(['a b'])
  requests[0]!.answer()
  await turn()
  await turn()
  expect(sent()).toEqual(['a b', 'c d'])
  requests[1]!.answer()
  expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'c!', 'd!'])
})

test('one question of each person in turn, however many one of them has', async () => {
  const { batcher, requests, sent } = asking()
  for (const n of [1, 2, 3, 4, 5]) void batcher.ask(`ada${n}`, 'ada')
  void batcher.ask('bob1', 'bob')
  void batcher.ask('cyd1', 'cyd')
  for (let at = 0; at < 3; at += 1) {
    await turn()
    requests[at]!.answer()
    await turn()
  }
  expect(sent()).toEqual(['ada1 bob1 cyd1', 'ada2 ada3 ada4', 'ada5'])
})

test('one person has so many under way and no more, and the rest goes on when they are answered', async () => {
  const { batcher, requests, sent } = asking({ requests: 5, perPerson: 2 })
  for (const n of [1, 2, 3]) void batcher.ask(`ada${n}`, 'ada')
  await turn()
  void batcher.ask('bob1', 'bob')
  await turn()
  expect(sent()).toEqual(['ada1 ada2', 'bob1'])
  requests[0]!.answer()
  await turn()
  await turn()
  expect(sent()).toEqual(['ada1 ada2', 'bob1', 'ada3'])
})

test('the same question that waits twice is asked once; one under way is asked anew', async () => {
  const { batcher, requests, sent } = asking()
  const both = [batcher.ask('a', 'ada'), batcher.ask('a', 'bob')]
  await turn()
  const later = batcher.ask('a', 'cyd')
  requests[0]!.answer()
  expect(await Promise.all(both)).toEqual(['a!', 'a!'])
  await turn()
  requests[1]!.answer()
  expect(await later).toBe('a!')
  expect(sent()).toEqual(['a', 'a'])
})

test('what does not fit is refused at once, as overload; what waits is not harmed', async () => {
  const { batcher, requests } = asking({ maxWaiting: 2 })
  const kept = [batcher.ask('a', 'ada'), batcher.ask('b', 'ada')]
  await expect(batcher.ask('c', 'ada')).rejects.toMatchObject({ code: 'server.overloaded' })
  expect(batcher.waiting).toBe(2)
  await turn()
  requests[0]!.answer()
  expect(await Promise.all(kept)).toEqual(['a!', 'b!'])
  expect(batcher.waiting).toBe(0)
})

test('who asks too much is refused, and nobody else', async () => {
  const { batcher, requests, sent } = asking({ maxPerPerson: 2 })
  const kept = [batcher.ask('a', 'ada'), batcher.ask('b', 'ada')]
  await expect(batcher.ask('c', 'ada')).rejects.toMatchObject({ code: 'server.overloaded' })
  kept.push(batcher.ask('d', 'bob'))
  await turn()
  requests[0]!.answer()
  expect(await Promise.all(kept)).toEqual(['a!', 'b!', 'd!'])
  expect(sent()).toEqual(['a d b'])
})

test('a request that fails fails those who asked in it, and the next one goes', async () => {
  const { batcher, requests, sent } = asking()
  const failed = batcher.ask('a', 'ada')
  await turn()
  requests[0]!.fail(new Error('away'))
  await expect(failed).rejects.toThrow('away')
  const next = batcher.ask('b', 'ada')
  await turn()
  requests[1]!.answer()
  expect(await next).toBe('b!')
  expect(sent()).toEqual(['a', 'b'])
})

import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { confirmed, messages, PATIENT, say, type Visits } from './visitors.ts'

/** Sockets to the server that this page has open now. */
function socketsOf(page: Page): () => number {
  let open = 0
  page.on('websocket', (socket) => {
    open += 1
    socket.on('close', () => {
      open -= 1
    })
  })
  return () => open
}

/** Several tabs of one browser. */
export function sharingTabs({ twoInARoom }: Visits): void {
  describe('tabs of one browser', () => {
    test('share one socket; closed, the other has it within a moment, and nothing is lost or doubled; logged out, all are', async () => {
      const { one: first, two: other, room } = await twoInARoom()
      const second = await first.context().newPage()
      const sockets = socketsOf(second)
      await second.goto(first.url())
      await second.getByRole('heading', { name: room, level: 1 }).waitFor()
      await say(second, 'from the second tab')
      for (const page of [first, second, other]) await confirmed(page, 'from the second tab')
      await say(other, 'seen in both')
      for (const page of [first, second]) await messages(page, 'seen in both').waitFor()
      expect(sockets()).toBe(0)

      await first.close()
      await say(second, 'after the first was closed')
      await say(other, 'and heard')
      for (const page of [second, other]) await confirmed(page, 'after the first was closed')
      await messages(second, 'and heard').waitFor()
      await expect.poll(sockets, PATIENT).toBe(1)
      const texts = ['from the second tab', 'seen in both', 'after the first was closed', 'and heard']
      for (const page of [second, other]) {
        for (const text of texts) expect(await messages(page, text).count()).toBe(1)
      }

      const third = await second.context().newPage()
      await third.goto(second.url())
      await third.getByRole('heading', { name: room, level: 1 }).waitFor()
      await third.evaluate(() => localStorage.removeItem('klatsch.session'))
      await second.getByLabel('What shall we call you?').or(second.getByLabel('Password')).first().waitFor()
      await expect.poll(sockets, PATIENT).toBe(0)
    })
  })
}

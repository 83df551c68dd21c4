import { registerAccounts } from '@klatsch/drills'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  confirmed,
  freshName,
  gone,
  joinRoom,
  log,
  messages,
  PATIENT,
  register,
  roomLink,
  say,
  type Visits,
} from './visitors.ts'

/** Rooms, history, and what is new. */
export function findingOnesWay({ visit, twoInARoom, house }: Visits): void {
  describe('finding one’s way', () => {
    test('unread messages are counted, the line shows where they begin, and the button goes there', async () => {
      const { one, two, room } = await twoInARoom()
      for (let n = 1; n <= 30; n++) await say(two, `old ${n}`)
      await confirmed(one, 'old 30')
      await roomLink(one, /Global/).click()
      await one.getByRole('heading', { name: 'Global', level: 1 }).waitFor()
      for (const n of [1, 2, 3]) await say(two, `new ${n}`)
      await roomLink(one, `${room} 3 unread`).click()
      await one.locator('[data-new]').waitFor()
      await gone(roomLink(one, /unread/))
      await log(one).evaluate((view) => view.scrollTo({ top: 0 }))
      await say(two, 'while reading above')
      await one.getByRole('button', { name: '1 new message' }).click()
      await expect.poll(() => messages(one, 'while reading above').isVisible(), PATIENT).toBe(true)
      await gone(one.getByRole('button', { name: /new message/ }))
    })

    test('a long history comes page by page, each message once, and the eyes stay where they are', async () => {
      const [account] = await registerAccounts(house().stack.urls.gateway, 1)
      const name = freshName('Long')
      const { id } = await account!.api.createRoom({ name })
      const token = await account!.session.token()
      for (let n = 1; n <= 200; n += 20) {
        for (let k = n; k < n + 20; k++) {
          const answer = await fetch(`${house().stack.urls.gateway}/api/rooms/${id}/messages`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ text: `number ${k}.${k % 7 === 0 ? '\nin two lines' : ''}` }),
          })
          expect(answer.status).toBe(201)
        }
      }
      const page = await visit()
      await register(page, freshName('reader'))
      await joinRoom(page, name)
      await messages(page, 'number 200.').waitFor()
      expect(await messages(page, 'number 1.').count()).toBe(0)
      // Stand still on one message while a page arrives above it.
      const view = log(page)
      await view.evaluate((element) => element.scrollTo({ top: 950 }))
      const before = await topOf(page)
      await view.evaluate((element) => element.scrollTo({ top: 880 }))
      await expect.poll(() => messages(page, /number/).count(), PATIENT).toBeGreaterThan(100)
      expect(Math.abs((await offsetOf(page, before.text)) - (before.top + 70))).toBeLessThanOrEqual(3)
      for (;;) {
        await view.evaluate((element) => element.scrollTo({ top: 0 }))
        if (await page.getByText('This is where the room begins.').isVisible()) break
        await page.waitForFunction(
          () =>
            (document.querySelector('[role=log]')?.scrollTop ?? 0) > 0 ||
            document.body.textContent.includes('This is where the room begins.'),
        )
      }
      const numbers = await messages(page, /number/).evaluateAll((all) =>
        all.map((e) => Number(/number (\d+)\./.exec(e.textContent ?? '')?.[1])),
      )
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
    })

    test('who leaves can undo it', async () => {
      const { one, room } = await twoInARoom()
      await say(one, 'I was here')
      await confirmed(one, 'I was here')
      await one.getByRole('button', { name: 'About this room' }).click()
      await one.getByRole('button', { name: 'Leave room' }).click()
      await one.getByText(`You left ${room}.`).waitFor()
      await gone(roomLink(one, room))
      await one.getByRole('button', { name: 'Undo' }).click()
      await roomLink(one, room).waitFor()
      await confirmed(one, 'I was here')
    })

    test('a new name of a room is seen by everyone in it', async () => {
      const { one, two } = await twoInARoom()
      await one.getByRole('button', { name: 'About this room' }).click()
      const name = freshName('Renamed')
      await one.getByRole('dialog').getByLabel('Name').fill(name)
      await one.getByRole('dialog').getByLabel('Topic').fill('About cake')
      await one.keyboard.press('Enter')
      await two.getByRole('heading', { name, level: 1 }).waitFor()
      await roomLink(two, name).waitFor()
      await two.getByText('About cake').first().waitFor()
    })
  })
}

const topOf = (page: Page): Promise<{ text: string; top: number }> =>
  log(page).evaluate((view) => {
    const edge = view.getBoundingClientRect().top
    const first = [...view.querySelectorAll('[data-state]')].find(
      (e) => e.getBoundingClientRect().top > edge + 100,
    )
    return {
      text: /number \d+\./.exec(first?.textContent ?? '')?.[0] ?? '',
      top: first?.getBoundingClientRect().top ?? 0,
    }
  })

const offsetOf = (page: Page, text: string): Promise<number> =>
  log(page).evaluate(
    (view, wanted) =>
      [...view.querySelectorAll('[data-state]')]
        .find((e) => e.textContent?.includes(wanted))
        ?.getBoundingClientRect().top ?? -1,
    text,
  )

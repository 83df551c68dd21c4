import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  composer,
  confirmed,
  createRoom,
  freshName,
  joinRoom,
  log,
  messages,
  PATIENT,
  register,
  roomLink,
  say,
  type Visits,
} from './visitors.ts'

const shown = (page: Page, text: RegExp): Promise<string[]> =>
  messages(page, text).evaluateAll((all) =>
    all.map((one) => /said \d+/.exec(one.textContent ?? '')?.[0] ?? ''),
  )

/** Rooms one does not look at come by digests; nobody should notice. */
export function digests({ visit }: Visits): void {
  describe('rooms one does not look at', () => {
    test('[W8] only say how far they are; opened, they show all that was said, once and in order', async () => {
      const [one, two] = await Promise.all([visit(), visit()])
      await Promise.all([register(one, freshName('one')), register(two, freshName('two'))])
      const rooms = Array.from({ length: 6 }, (_, n) => `${freshName('Digest')} ${n}`)
      for (const room of rooms) await createRoom(one, room)
      const [first = ''] = rooms
      await joinRoom(two, first)
      await say(two, 'said 0')
      await confirmed(two, 'said 0')
      await roomLink(one, new RegExp(first)).click()
      await confirmed(one, 'said 0')
      for (const room of rooms.slice(1)) {
        await roomLink(one, new RegExp(room)).click()
        await one.getByRole('heading', { name: room, level: 1 }).waitFor()
      }
      // It is five rooms back: from now on only digests of it come.
      for (let n = 1; n <= 30; n += 1) await say(two, `said ${n}`)
      await confirmed(two, /said 30/)
      const unread = roomLink(one, new RegExp(`${first}.*30 unread`))
      await unread.waitFor()
      // The room where something happened last is the first one.
      expect(
        await one.getByRole('navigation', { name: 'Rooms' }).getByRole('link').first().textContent(),
      ).toContain(first)

      await unread.click()
      await one.locator('[data-new]').waitFor()
      await expect
        .poll(() => shown(one, /said \d+/), PATIENT)
        .toEqual(Array.from({ length: 31 }, (_, n) => `said ${n}`))
      // One begins to read where the new ones begin, not at the end.
      const visible = await one.evaluate(() => {
        const view = document.querySelector('[role=log]')!.getBoundingClientRect()
        const line = document.querySelector('[data-new]')!.getBoundingClientRect()
        return line.top > view.top && line.bottom < view.bottom
      })
      expect(visible).toBe(true)
      await log(one).evaluate((view) => view.scrollTo(0, view.scrollHeight))
      await expect.poll(() => roomLink(one, new RegExp(`${first}.*unread`)).count(), PATIENT).toBe(0)
      await say(one, 'said 31')
      await confirmed(two, 'said 31')
    })

    test('[W8] a room that is renamed while nobody looks is renamed in the list', async () => {
      const [one, two] = await Promise.all([visit(), visit()])
      await Promise.all([register(one, freshName('one')), register(two, freshName('two'))])
      const room = freshName('Before')
      await createRoom(two, room)
      await joinRoom(one, room)
      await one.reload()
      await composer(one).waitFor()
      await roomLink(one, /^Global/).click()
      await one.getByRole('heading', { name: 'Global', level: 1 }).waitFor()
      await one.reload()
      await composer(one).waitFor()
      const renamed = freshName('After')
      await two.getByRole('button', { name: 'About this room' }).click()
      await two.getByLabel('Name').fill(renamed)
      await two.getByRole('button', { name: 'Save' }).click()
      await roomLink(one, renamed).waitFor()
    })
  })
}

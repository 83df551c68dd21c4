import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  composer,
  confirmed,
  createRoom,
  freshName,
  gone,
  overflow,
  PATIENT,
  register,
  roomLink,
  type Visits,
} from './visitors.ts'

/** By keyboard, and on a small screen. */
export function reachingEverything({ visit }: Visits): void {
  describe('by keyboard alone', () => {
    test('one logs in, makes a room, writes, moves between rooms, and Esc leads back to writing', async () => {
      const name = freshName('kim')
      await register(await visit(), name)
      const page = await visit()
      const focus = () =>
        page.evaluate(
          () =>
            document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
        )
      await expect.poll(() => page.evaluate(() => document.activeElement?.tagName), PATIENT).toBe('INPUT')
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('ArrowRight')
      expect(await page.getByRole('tab', { name: 'Log in' }).getAttribute('aria-selected')).toBe('true')
      await page.getByLabel('Password').waitFor()
      expect(await focus()).toBe('Log in')
      await page.keyboard.press('Tab')
      await page.keyboard.type(name)
      await page.keyboard.press('Tab')
      await page.keyboard.type('kaffee-und-kuchen')
      await page.keyboard.press('Enter')
      await composer(page).waitFor()

      const room = freshName('Keys')
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').waitFor()
      await page.keyboard.type(room)
      await page.getByRole('option', { name: `Create the room ${room}` }).waitFor()
      await page.keyboard.press('Enter')
      await expect
        .poll(() => page.evaluate(() => (document.activeElement as HTMLInputElement)?.value), PATIENT)
        .toBe(room)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: room, level: 1 }).waitFor()
      await expect.poll(focus, PATIENT).toBe(`Message to ${room}`)
      await page.keyboard.type('typed')
      await page.keyboard.press('Enter')
      await confirmed(page, 'typed')

      await page.keyboard.press('Alt+ArrowDown')
      await page.getByRole('heading', { name: 'Global', level: 1 }).waitFor()
      await page.keyboard.press('Alt+ArrowUp')
      await page.getByRole('heading', { name: room, level: 1 }).waitFor()
      await expect.poll(focus, PATIENT).toBe(`Message to ${room}`)
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').waitFor()
      await page.keyboard.press('Escape')
      await gone(page.getByRole('dialog'))
      await expect.poll(focus, PATIENT).toBe(`Message to ${room}`)
    })
  })

  describe('at 390 px', () => {
    test('every screen fits, and one gets everywhere', async () => {
      const page = await visit({ viewport: { width: 390, height: 844 }, hasTouch: true })
      const fits = async (what: string) =>
        expect({ what, over: await overflow(page) }).toEqual({ what, over: 0 })
      for (const tab of ['Guest', 'Log in', 'Create account']) {
        await page.getByRole('tab', { name: tab }).click()
        await fits(tab)
      }
      await register(page, freshName('phone'))
      await createRoom(page, `${'Averylongnamewithoutanyspace'.repeat(2)}-${freshName('x')}`.slice(0, 78))
      await sayByTouch(page, 'w'.repeat(600))
      await sayByTouch(page, `https://example.org/${'path'.repeat(60)}`)
      await sayByTouch(page, `\`${'c'.repeat(300)}\` and\n\`\`\`\n${'b'.repeat(300)}\n\`\`\``)
      await confirmed(page, /c{300}/)
      await fits('room')
      await page.getByRole('button', { name: /^Members/ }).click()
      await page.getByRole('dialog', { name: 'Members' }).waitFor()
      await fits('members')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'About this room' }).click()
      await fits('details')
      await page.keyboard.press('Escape')
      await page.getByRole('link', { name: 'All rooms' }).click()
      await roomLink(page, /^Global/).waitFor()
      await fits('rooms')
      await page.getByRole('button', { name: 'Find a room' }).click()
      await page.getByRole('combobox').waitFor()
      await fits('finder')
      await page.keyboard.press('Escape')
      await roomLink(page, /^Global/).click()
      await page.getByRole('heading', { name: 'Global', level: 1 }).waitFor()
      expect(await composer(page).evaluate((field) => getComputedStyle(field).fontSize)).toBe('16px')
    })
  })
}

/** Where there is a keyboard on the screen, Enter begins a new line. */
async function sayByTouch(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await page.getByRole('button', { name: 'Send' }).tap()
}

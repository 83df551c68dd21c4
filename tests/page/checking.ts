import { describe, expect, test } from 'vitest'
import { confirmed, PATIENT, say, type Visits } from './visitors.ts'

/** What the page says about itself being right. */
export function checking({ twoInARoom }: Visits): void {
  describe('checking', () => {
    test('[H4] the footer counts what was checked, and a click says what that means, here and on the server', async () => {
      const { one, two } = await twoInARoom()
      const footer = one.getByRole('button', { name: /^Checked/ })
      const count = async () => Number(/Checked (\d+)/.exec((await footer.textContent()) ?? '')?.[1])
      // Being made and joined by both has been checked.
      await expect.poll(count, PATIENT).toBeGreaterThanOrEqual(3)
      const before = await count()
      for (const n of [1, 2, 3]) await say(two, `count me ${n}`)
      await confirmed(one, 'count me 3')
      await expect.poll(count, PATIENT).toBeGreaterThanOrEqual(before + 3)
      expect(await footer.textContent()).toMatch(/diverged 0 · healed 0$/)
      await footer.click()
      const dialog = one.getByRole('dialog', { name: 'Nothing lost, and anyone can check' })
      const server = dialog.locator('section').filter({ hasText: 'The server' })
      const compared = server
        .getByText('Ends of rooms compared with the record')
        .locator('xpath=following-sibling::dd')
      await expect.poll(() => compared.textContent(), PATIENT).toMatch(/^\d/)
      await one.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
    })
  })
}

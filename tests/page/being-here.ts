import type { Locator, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { composer, confirmed, PATIENT, say, type Visits } from './visitors.ts'

/** The dot of the other one in the list of members; one's own comes first. */
const other = (page: Page): Locator =>
  page.getByRole('complementary', { name: 'Members' }).locator('[data-here]').last()
const shown = (page: Page) => expect.poll(() => other(page).getAttribute('data-here'), PATIENT)

/** Who is here, and who is typing. */
export function beingHere({ twoInARoom }: Visits): void {
  describe('being here', () => {
    test('one sees who is here, who is not to be disturbed, and who has gone', async () => {
      const { one, two } = await twoInARoom()
      await shown(one).toBe('online')
      await one.getByText('2 here').waitFor()
      await two.getByRole('button', { name: 'How others see you' }).click()
      await two.getByLabel('Do not disturb').check()
      await shown(one).toBe('dnd')
      await two.getByLabel('Do not disturb').uncheck()
      await shown(one).toBe('online')
      await two.reload()
      await composer(two).waitFor()
      await two.context().close()
      await shown(one).toBe('offline')
      await one.getByText('1 here').waitFor()
    })

    test('one sees that somebody is typing, until they have sent it', async () => {
      const { one, two } = await twoInARoom()
      await composer(two).pressSequentially('Soon')
      const line = one.getByText(/is typing…$/)
      await line.waitFor()
      await say(two, 'Soon ready')
      await confirmed(one, 'Soon ready')
      await line.waitFor({ state: 'detached' })
    })
  })
}

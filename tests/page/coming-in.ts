import { describe, expect, test } from 'vitest'
import {
  composer,
  confirmed,
  enterAsGuest,
  freshName,
  gone,
  logIn,
  PATIENT,
  register,
  type Visits,
} from './visitors.ts'

/** The first screen, and the way out. */
export function comingIn({ visit }: Visits): void {
  describe('coming in', () => {
    test('as a guest takes a name and Enter, and one can write at once', async () => {
      const page = await visit()
      const name = freshName('ada')
      await expect.poll(() => page.evaluate(() => document.activeElement?.tagName), PATIENT).toBe('INPUT')
      await page.keyboard.type(name)
      await page.keyboard.press('Enter')
      await composer(page).waitFor()
      await expect.poll(() => page.evaluate(() => document.activeElement?.id), PATIENT).toBe('composer')
      await page.keyboard.type(`Hello from ${name}`)
      await page.keyboard.press('Enter')
      await confirmed(page, `Hello from ${name}`)
    })

    test('a name that is taken or cannot be is said at the field', async () => {
      const taken = freshName('taken')
      await register(await visit(), taken)
      const page = await visit()
      await page.getByLabel('What shall we call you?').fill(taken.toUpperCase())
      await page.keyboard.press('Enter')
      await page.getByText('That name is taken. Try another one.').waitFor()
      await page.getByLabel('What shall we call you?').fill('no spaces please')
      await page.keyboard.press('Enter')
      await page.getByText(/^Use letters, digits/).waitFor()
      expect(await page.getByLabel('What shall we call you?').getAttribute('aria-invalid')).toBe('true')
    })

    test('with an account lasts over a reload, ends by logging out, and a wrong password says so', async () => {
      const page = await visit()
      const name = freshName('bea')
      await register(page, name)
      await page.reload()
      await composer(page).waitFor()
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByRole('tab', { name: 'Log in' }).waitFor()
      await logIn(page, name, 'not-the-password')
      await page.getByText(/The name or the password is not right/).waitFor()
      await logIn(page, name)
      await composer(page).waitFor()
    })

    test('guests are told why they cannot make rooms', async () => {
      const page = await visit()
      await enterAsGuest(page, freshName('gus'))
      await page.getByRole('button', { name: 'Create a room' }).click()
      await page.getByText(/With an account you can join the other rooms and make your own/).waitFor()
      await page.getByRole('combobox').fill('Something new')
      await gone(page.getByRole('option', { name: /Create the room/ }))
    })
  })
}

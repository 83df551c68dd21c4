import { describe, expect, test } from 'vitest'
import { composer, confirmed, log, messages, say, type Visits } from './visitors.ts'

/** What one writes and what others see. */
export function talking({ twoInARoom }: Visits): void {
  describe('talking', () => {
    test('what one writes the other sees, and it stays the same element from written to confirmed', async () => {
      const { one, two } = await twoInARoom()
      await composer(one).fill('Is the coffee ready?')
      await one.evaluate(() => {
        const list = document.querySelector('[role=log]')
        const seen: { elements: Set<Element>; states: string[]; blinked: boolean } = {
          elements: new Set(),
          states: [],
          blinked: false,
        }
        Object.assign(globalThis, { seen })
        const look = () => {
          const found = [...(list?.querySelectorAll('[data-state]') ?? [])].filter((e) =>
            e.textContent?.includes('Is the coffee ready?'),
          )
          for (const element of found) seen.elements.add(element)
          if (found.length > 1 || (found.length === 0 && seen.elements.size > 0)) seen.blinked = true
          const state = found[0]?.getAttribute('data-state')
          if (state && seen.states.at(-1) !== state) seen.states.push(state)
          requestAnimationFrame(look)
        }
        look()
      })
      await one.keyboard.press('Enter')
      await messages(two, 'Is the coffee ready?').waitFor()
      await confirmed(one, 'Is the coffee ready?')
      // The page is looked at once a frame, so the look may be a frame behind the page.
      await one.waitForFunction(
        () => (globalThis as unknown as { seen: { states: string[] } }).seen.states.at(-1) === 'confirmed',
      )
      const { elements, states, blinked } = await one.evaluate(() => {
        const { seen } = globalThis as unknown as {
          seen: { elements: Set<Element>; states: string[]; blinked: boolean }
        }
        return { elements: seen.elements.size, states: seen.states, blinked: seen.blinked }
      })
      expect({ elements, blinked, last: states.at(-1) }).toEqual({
        elements: 1,
        blinked: false,
        last: 'confirmed',
      })
    })

    test('text is text: markup is shown as it was written, and only web addresses are links', async () => {
      const { one, two } = await twoInARoom()
      const text = '<img src=x onerror="document.title=1"> javascript:alert(1) https://example.org/a?b=c.'
      await say(one, text)
      await messages(two, text).waitFor()
      expect(await log(two).locator('img').count()).toBe(0)
      expect(
        await log(two)
          .getByRole('link')
          .evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
      ).toEqual(['https://example.org/a?b=c'])
    })

    test('several lines keep their lines, and Shift Enter begins one', async () => {
      const { one, two } = await twoInARoom()
      await composer(one).focus()
      await one.keyboard.type('first')
      await one.keyboard.press('Shift+Enter')
      await one.keyboard.type('second')
      await one.keyboard.press('Enter')
      await messages(two, 'first').waitFor()
      expect(await messages(two, 'first').locator('span').last().textContent()).toBe('first\nsecond')
    })

    test('10 MB are not taken, one is told so, and the page stays quick; 8,000 characters are the limit', async () => {
      const { one } = await twoInARoom()
      const took = await one.evaluate(() => {
        const begun = performance.now()
        const clipboardData = new DataTransfer()
        clipboardData.setData('text/plain', 'a'.repeat(10_000_000))
        document
          .getElementById('composer')
          ?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
        return performance.now() - begun
      })
      expect(took).toBeLessThan(1_000)
      await one.getByText(/That is 10\.0 MB of text/).waitFor()
      expect(await composer(one).inputValue()).toBe('')
      await composer(one).fill('x'.repeat(8_001))
      await one.getByText('1 character too many').waitFor()
      expect(await one.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true)
      await say(one, 'y'.repeat(8_000))
      await confirmed(one, /y{8000}/)
    })

    test('two tabs of one person show the same, and logging out in one ends both', async () => {
      const { one } = await twoInARoom()
      const other = await one.context().newPage()
      await other.goto(one.url())
      await composer(other).waitFor()
      await say(one, 'from the first tab')
      await confirmed(other, 'from the first tab')
      await say(other, 'from the second tab')
      await confirmed(one, 'from the second tab')
      await one.getByRole('button', { name: 'Log out' }).click()
      await other.getByRole('tab', { name: 'Log in' }).waitFor()
    })
  })
}

// The page in a real browser, on the real stack.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registerAccounts } from '@klatsch/drills'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { cuttable } from './cuttable.ts'
import {
  composer,
  confirmed,
  createRoom,
  enterAsGuest,
  freshName,
  gone,
  type House,
  joinRoom,
  log,
  logIn,
  messages,
  openHouse,
  overflow,
  PATIENT,
  register,
  roomLink,
  say,
} from './visitors.ts'

let house: House
let dataDir: string
const open: Page[] = []

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'klatsch-page-'))
  house = await openHouse(dataDir)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((page) => page.context().close()))
  expect(house.complaints).toEqual([])
})
afterAll(async () => {
  await house?.close()
  rmSync(dataDir, { recursive: true, force: true })
})

async function visit(options?: Parameters<House['visit']>[0]): Promise<Page> {
  const page = await house.visit(options)
  open.push(page)
  return page
}

/** Two people with accounts in one new room. */
async function twoInARoom(options: { url?: string } = {}): Promise<{ one: Page; two: Page; room: string }> {
  const [one, two] = await Promise.all([visit(options), visit()])
  await Promise.all([register(one, freshName('one')), register(two, freshName('two'))])
  const room = freshName('Room')
  await createRoom(one, room)
  await joinRoom(two, room)
  return { one, two, room }
}

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

describe('being cut off', () => {
  test('what is written offline waits, outlives the page, and is sent once and in order', async () => {
    const line = await cuttable(Number(new URL(house.stack.url).port))
    try {
      const { one, two } = await twoInARoom({ url: line.url })
      await say(one, 'before the tunnel')
      await confirmed(one, 'before the tunnel')
      line.cut()
      await one.getByText('You are offline.').waitFor()
      for (const n of [1, 2, 3]) await say(one, `in the tunnel ${n}`)
      await one.getByText("3 messages are waiting; they will be sent when you're back.").waitFor()
      expect(
        await messages(one, /in the tunnel/).evaluateAll((all) =>
          all.map((e) => e.getAttribute('data-state')),
        ),
      ).toEqual(Array(3).fill('waiting'))
      // The phone runs out of memory meanwhile: another page of the same browser takes over.
      const address = one.url()
      const context = one.context()
      await one.close()
      line.mend()
      const back = await context.newPage()
      await back.goto(address)
      for (const page of [back, two]) {
        await confirmed(page, 'in the tunnel 3')
        await expect
          .poll(
            () =>
              messages(page, /tunnel/)
                .allInnerTexts()
                .then((all) => all.map((text) => text.match(/(before the|in the) tunnel ?\d?/)?.[0])),
            PATIENT,
          )
          .toEqual(['before the tunnel', 'in the tunnel 1', 'in the tunnel 2', 'in the tunnel 3'])
      }
    } finally {
      await line.close()
    }
  })

  test('“try now” does not wait for the countdown', async () => {
    const line = await cuttable(Number(new URL(house.stack.url).port))
    try {
      const page = await visit({ url: line.url })
      await enterAsGuest(page, freshName('tom'))
      line.cut()
      await page.getByText('You are offline.').waitFor()
      await say(page, 'soon')
      line.mend()
      await page
        .getByRole('button', { name: 'Try now' })
        .click({ trial: false })
        .catch(() => {})
      await confirmed(page, 'soon')
      await gone(page.getByText('You are offline.'))
    } finally {
      await line.close()
    }
  })

  test('a refused message says why, can be sent again after joining, and can be thrown away', async () => {
    const line = await cuttable(Number(new URL(house.stack.url).port))
    try {
      const { one, room } = await twoInARoom({ url: line.url })
      line.cut()
      await one.getByText('You are offline.').waitFor()
      await say(one, 'written too late')
      await say(one, 'and better not at all')
      // Elsewhere the same person leaves the room: what was written since must be refused.
      await leaveByHttp(one, room)
      line.mend()
      await one.getByText('You are not in this room any more. Join it again to write here.').first().waitFor()
      await one.getByRole('button', { name: 'Join this room' }).click()
      await expect
        .poll(() => messages(one, 'written too late').getAttribute('data-state'), PATIENT)
        .toBe('failed')
      await messages(one, 'written too late').getByRole('button', { name: 'Retry' }).click()
      await confirmed(one, 'written too late')
      await messages(one, 'and better not at all').getByRole('button', { name: 'Discard' }).click()
      await gone(messages(one, 'and better not at all'))
    } finally {
      await line.close()
    }
  })

  test('the gateway is killed with -9 while both write: nothing is missing or doubled on either screen', async () => {
    const { one, two } = await twoInARoom()
    const lines: string[] = []
    for (let n = 1; n <= 12; n++) {
      const [page, name] = n % 2 === 0 ? [two, 'two'] : [one, 'one']
      lines.push(`line ${n} of ${name}.`)
      await say(page, lines.at(-1)!)
      if (n === 4) house.stack.kill('gateway', 'SIGKILL')
      if (n === 8) house.stack.kill('chat', 'SIGKILL')
    }
    for (const page of [one, two]) {
      for (const text of lines) await confirmed(page, text)
      await expect.poll(() => messages(page, /line \d+ of/).count(), PATIENT).toBe(lines.length)
    }
    const order = (page: Page) =>
      messages(page, /line \d+ of/).evaluateAll((all) =>
        all.map((e) => /line \d+ of/.exec(e.textContent ?? '')?.[0]),
      )
    expect(await order(one)).toEqual(await order(two))
    expect(await one.getByText(/diverged 0$/).count()).toBe(1)
  })
})

/** Leaves a room as the person of a page, by HTTP and past the page. */
async function leaveByHttp(page: Page, room: string): Promise<void> {
  const { token, id } = await page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('klatsch.session') ?? '{}')
    return { token: String(session.accessToken), id: location.hash.split('/').at(-1) ?? '' }
  })
  const answer = await fetch(`${house.stack.urls.gateway}/api/rooms/${id}/leave`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect({ room, status: answer.status }).toEqual({ room, status: 200 })
}

describe('finding one’s way', () => {
  test('unread messages are counted, the line shows where they begin, and the button goes there', async () => {
    const { one, two, room } = await twoInARoom()
    for (let n = 1; n <= 30; n++) await say(two, `old ${n}`)
    await confirmed(one, 'old 30')
    await roomLink(one, /Global/).click()
    await one.getByRole('heading', { name: 'Global', level: 2 }).waitFor()
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
    const [account] = await registerAccounts(house.stack.urls.gateway, 1)
    const name = freshName('Long')
    const { id } = await account!.api.createRoom({ name })
    const token = await account!.session.token()
    for (let n = 1; n <= 200; n += 20) {
      for (let k = n; k < n + 20; k++) {
        const answer = await fetch(`${house.stack.urls.gateway}/api/rooms/${id}/messages`, {
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
    await two.getByRole('heading', { name, level: 2 }).waitFor()
    await roomLink(two, name).waitFor()
    await two.getByText('About cake').first().waitFor()
  })
})

describe('by keyboard alone', () => {
  test('one logs in, makes a room, writes, moves between rooms, and Esc leads back to writing', async () => {
    const name = freshName('kim')
    await register(await visit(), name)
    const page = await visit()
    const focus = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
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
    await page.getByRole('heading', { name: room, level: 2 }).waitFor()
    await expect.poll(focus, PATIENT).toBe(`Message to ${room}`)
    await page.keyboard.type('typed')
    await page.keyboard.press('Enter')
    await confirmed(page, 'typed')

    await page.keyboard.press('Alt+ArrowDown')
    await page.getByRole('heading', { name: 'Global', level: 2 }).waitFor()
    await page.keyboard.press('Alt+ArrowUp')
    await page.getByRole('heading', { name: room, level: 2 }).waitFor()
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
    await page.getByRole('heading', { name: 'Global', level: 2 }).waitFor()
    expect(await composer(page).evaluate((field) => getComputedStyle(field).fontSize)).toBe('16px')
  })
})

/** Where there is a keyboard on the screen, Enter begins a new line. */
async function sayByTouch(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await page.getByRole('button', { name: 'Send' }).tap()
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

import { createClient } from '@klatsch/client'
import { registerAccounts } from '@klatsch/drills'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { cuttable } from './cuttable.ts'
import { confirmed, enterAsGuest, freshName, gone, messages, PATIENT, say, type Visits } from './visitors.ts'

/** The network and the services fail; nothing is lost, and one is told. */
export function beingCutOff({ visit, twoInARoom, house }: Visits): void {
  describe('being cut off', () => {
    test('what is written offline waits, outlives the page, and is sent once and in order', async () => {
      const line = await cuttable(Number(new URL(house().stack.url).port))
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
      const line = await cuttable(Number(new URL(house().stack.url).port))
      try {
        const page = await visit({ url: line.url })
        await enterAsGuest(page, freshName('tom'))
        line.cut()
        await say(page, 'soon')
        // The waits grow; this one is long enough to tell a click from its end.
        await page.getByText(/in ([3-9]|10) s$/).waitFor()
        const tries = line.tries
        const clicked = performance.now()
        await page.getByRole('button', { name: 'Try now' }).click()
        await expect.poll(() => line.tries, PATIENT).toBeGreaterThan(tries)
        expect(performance.now() - clicked).toBeLessThan(2_000)
        line.mend()
        await confirmed(page, 'soon')
        await gone(page.getByText('You are offline.'))
      } finally {
        await line.close()
      }
    })

    test('a refused message says why, can be sent again after joining, and can be thrown away', async () => {
      const line = await cuttable(Number(new URL(house().stack.url).port))
      try {
        const { one, room } = await twoInARoom({ url: line.url })
        line.cut()
        await one.getByText('You are offline.').waitFor()
        await say(one, 'written too late')
        await say(one, 'and better not at all')
        // Elsewhere the same person leaves the room: what was written since must be refused.
        await leaveByHttp(one, house().stack.urls.gateway, room)
        line.mend()
        await one
          .getByText('You are not in this room any more. Join it again to write here.')
          .first()
          .waitFor()
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

    test('after a gap too large to be told, the end of the room is there, and it goes on from it', async () => {
      const line = await cuttable(Number(new URL(house().stack.url).port))
      const url = house().stack.urls.gateway
      const crowd = await registerAccounts(url, 6)
      const clients = crowd.map(({ session }) =>
        createClient({
          url: `${url.replace('http', 'ws')}/ws`,
          token: (stale) => session.token(stale),
          follow: [],
        }),
      )
      try {
        const { one, two } = await twoInARoom({ url: line.url })
        await say(two, 'before')
        await confirmed(one, 'before')
        const room = await roomOf(one)
        await Promise.all(crowd.map(({ api }) => api.join(room)))
        line.cut()
        await one.getByText('You are offline.').waitFor()
        const sent = clients.flatMap((client, who) => {
          client.connect()
          return Array.from(
            { length: 175 },
            (_, n) =>
              client.command('chat.message.send.v1', `room:${room}`, { text: `crowd ${who}/${n}.` }).outcome,
          )
        })
        await Promise.all(sent)
        line.mend()
        const { head } = await crowd[0]!.api.events(room, { after: 0, limit: 1 })
        const { items } = await crowd[0]!.api.events(room, { after: head - 30, limit: 30 })
        const end = items.map((event) => (event.data as { text: string }).text)
        await confirmed(one, end.at(-1)!)
        expect(
          (await messages(one, /crowd/).allTextContents())
            .slice(-30)
            .map((text) => /crowd .*\./.exec(text)?.[0]),
        ).toEqual(end)
        await say(two, 'after')
        await confirmed(one, 'after')
        await say(one, 'and on')
        await confirmed(two, 'and on')
      } finally {
        await Promise.all(clients.map((client) => client.close()))
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
        if (n === 4) house().stack.kill('gateway', 'SIGKILL')
        if (n === 8) house().stack.kill('chat', 'SIGKILL')
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
      expect(await one.getByText(/diverged 0 · healed 0$/).count()).toBe(1)
    })
  })
}

/** Leaves a room as the person of a page, by HTTP and past the page. */
async function leaveByHttp(page: Page, server: string, room: string): Promise<void> {
  const token = await page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('klatsch.session') ?? '{}')
    return String(session.accessToken)
  })
  const answer = await fetch(`${server}/api/rooms/${await roomOf(page)}/leave`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect({ room, status: answer.status }).toEqual({ room, status: 200 })
}

/** The id of the room that a page shows. */
const roomOf = (page: Page): Promise<string> => page.evaluate(() => location.hash.split('/').at(-1) ?? '')

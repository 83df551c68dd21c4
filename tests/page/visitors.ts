import { randomBytes } from 'node:crypto'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { freePorts, type Stack, startStack } from '../../infra/local/src/index.ts'
import { openBrowser, openPage } from './browser.ts'

/** Everything on two busy cores, so generous; what is awaited is a condition, never a time. */
export const PATIENT = { timeout: 30_000, interval: 50 }

export const PASSWORD = 'kaffee-und-kuchen'

/** A name nobody has yet. */
export const freshName = (stem: string): string => `${stem}-${randomBytes(4).toString('hex')}`

export interface House {
  readonly stack: Stack
  readonly browser: Browser
  /** A page nobody has used before. */
  visit(options?: BrowserContextOptions & { url?: string }): Promise<Page>
  /** What any page complained about so far. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

/** What a suite may do in the house. */
export interface Visits {
  house(): House
  visit: House['visit']
  /** Two people with accounts in one new room. */
  twoInARoom(options?: { url?: string }): Promise<{ one: Page; two: Page; room: string }>
}

/** The whole stack on servers of its own, and a browser. */
export async function openHouse(dataDir: string): Promise<House> {
  const [port] = await freePorts(1)
  const env = { ...process.env, KAFKA_BROKERS: '', DATABASE_URL: '' }
  const [stack, browser] = await Promise.all([startStack({ port: port!, dataDir, env }), openBrowser()])
  const complaints: string[] = []
  return {
    stack,
    browser,
    complaints,
    async visit({ url = stack.urls.gateway, ...options } = {}) {
      const page = await openPage(browser, url, options, complaints)
      page.setDefaultTimeout(PATIENT.timeout)
      return page
    },
    async close() {
      await browser.close()
      await stack.stop()
    },
  }
}

export const composer = (page: Page): Locator => page.getByLabel(/^Message to/)
export const log = (page: Page): Locator => page.getByRole('log')
/** The messages on the screen with this text, in whatever state. */
export const messages = (page: Page, text: string | RegExp): Locator =>
  log(page).locator('[data-state]').filter({ hasText: text })
export const roomLink = (page: Page, name: string | RegExp): Locator =>
  page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name })

export async function enterAsGuest(page: Page, name: string): Promise<void> {
  await page.getByLabel('What shall we call you?').fill(name)
  await page.keyboard.press('Enter')
  await composer(page).waitFor()
}

export async function register(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name: 'Create account' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await composer(page).waitFor()
}

export async function logIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByRole('tab', { name: 'Log in' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password').fill(password)
  await page.keyboard.press('Enter')
}

export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await page.keyboard.press('Enter')
}

export const confirmed = (page: Page, text: string | RegExp): Promise<void> =>
  expect
    .poll(() => messages(page, text).getAttribute('data-state'), PATIENT)
    .toBe('confirmed') as Promise<void>

export const gone = (locator: Locator): Promise<void> =>
  expect.poll(() => locator.count(), PATIENT).toBe(0) as Promise<void>

/** Makes a public room by the finder and is in it. */
export async function createRoom(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill(name)
  await page.getByRole('option', { name: `Create the room ${name}` }).click()
  await page.getByRole('button', { name: 'Create room' }).click()
  await page.getByRole('heading', { name, level: 1 }).waitFor()
  await composer(page).waitFor()
}

export async function joinRoom(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill(name)
  await page.getByRole('option', { name }).first().click()
  await page.getByRole('heading', { name, level: 1 }).waitFor()
  await composer(page).waitFor()
}

/** By how many pixels the widest thing stands out of the window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const root = document.scrollingElement
    const edges = [...document.querySelectorAll('body *')].map((element) => {
      const box = element.getBoundingClientRect()
      const clipped = element.closest('pre, .truncate, .sr-only')
      return box.width === 0 || clipped ? 0 : box.right
    })
    return Math.round(Math.max(root?.scrollWidth ?? 0, ...edges) - innerWidth)
  })

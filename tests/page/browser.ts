import chromium from '@sparticuz/chromium'
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core'

/** A browser without a window. `CHROMIUM_PATH` names another than the one that npm brings (Linux x64). */
export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH || (await chromium.executablePath())
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync']
  return driver.launch({
    executablePath,
    args: [...args, '--disable-background-networking', '--disable-component-update'],
  })
}

/** What a browser complained about; what the tests bring about on purpose is left out. */
const EXPECTED =
  /status of (4(01|04|09|22)|50[34])|WebSocket connection to|Failed to load resource: net::ERR_/

/** A page of a browser that knows nothing yet; adds to `complaints` what it complains about. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  complaints: string[],
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    ...options,
  })
  context.on('page', (page) => {
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      const bad = message.type() === 'error' || message.type() === 'warning'
      if (bad && !EXPECTED.test(message.text())) complaints.push(message.text())
    })
  })
  const page = await context.newPage()
  await page.goto(url)
  return page
}

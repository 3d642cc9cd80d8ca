/** A page of ours as a person without a mouse meets it, and what a browser would complain of. */
import type { Page } from 'playwright-core'

const mostTabs = 60

/** Tab until the button of that name has the focus: one that no tab reaches is a failure. */
export async function focus(page: Page, name: string): Promise<void> {
  const button = page.getByRole('button', { name, exact: true })
  await button.waitFor()
  for (let tabs = 0; tabs < mostTabs; tabs++) {
    if ((await button.and(page.locator(':focus')).count()) === 1) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the keyboard does not reach "${name}"`)
}

export async function press(page: Page, name: string): Promise<void> {
  await focus(page, name)
  await page.keyboard.press('Enter')
}

/** What a strict Content-Security-Policy or a broken page would make the browser complain of. */
export function troublesOf(page: Page): string[] {
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('favicon')) troubles.push(message.text())
  })
  return troubles
}

/** Nobody has to scroll sideways. */
export const fitsIn = async (page: Page): Promise<boolean> =>
  (await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')) === true

/** How many SQL statements a SAML login costs the broker, leg by leg: exact, with the simulator as the IdP and a clock that stands still. */

import { type BrokerApp, createApp } from '@drawbridge/broker/app'
import { instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { type Browser, openBrowser, type Page } from '@drawbridge/simulator/browser'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aLoginTenant, type LoginTenant } from './login-tenant.js'
import { callsOf, createStatementCounter, type StatementCounter, writingCallsOf } from './statement-count.js'

const now = instant(Date.now())
let fixture: TestDatabase
let simulator: Simulator
let plain: TestBroker
let app: BrokerApp
let tenant: LoginTenant
let authorizeUrl: string
let counter: StatementCounter

beforeAll(async () => {
  fixture = await testDatabase()
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  simulator = createSimulator({ port: 0, signInWithoutAsking: true })
  await simulator.start()
  plain = await aBroker(fixture.database, { clock: { now: () => now }, settings: readEnv({ DRAWBRIDGE_PUBLIC_URL: publicUrl }) })
  const { sealer, random, installation, database } = plain.deps
  tenant = await aLoginTenant({ fixture, making: { sealer, random, database, installationId: installation.id, now }, simulator, publicUrl })
  authorizeUrl = publicUrl + tenant.authorizePath
  app = createApp(plain.deps)
  await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.1', resolve))
  counter = await createStatementCounter(fixture.ownerUrl)
  await aBrowser().open(authorizeUrl) // every cache is warm from here on
})
afterAll(async () => {
  await counter?.close()
  await app?.close()
  await plain?.close()
  await simulator?.close()
  await fixture?.close()
})

const aBrowser = (): Browser => openBrowser({ stopAt: tenant.redirectUri, submitsSamlForms: false })

async function count(run: () => Promise<Page>) {
  const pages: Page[] = []
  const counts = await counter.during(async () => pages.push(await run()))
  const write = writingCallsOf(counts)
  return { page: pages[0] as Page, figures: { read: callsOf(counts) - write, write } }
}

test('a SAML login costs these statements on its way out, on its way home, and with a live session', async () => {
  const browser = aBrowser()
  const out = await count(() => browser.open(authorizeUrl))
  const home = await count(() => out.page.form('SAMLResponse').submit())
  const again = await count(() => browser.open(authorizeUrl))
  for (const { page } of [home, again]) expect(new URL(page.url).searchParams.get('code')).toMatch(/^dbc_/)
  // The way home holds the ACS, where the message is parked because a cross-site POST brings no cookie, and the step that believes it.
  expect([out, home, again].map(({ figures }) => figures)).toEqual([
    { read: 0, write: 1 },
    { read: 0, write: 4 },
    { read: 1, write: 1 },
  ])
})

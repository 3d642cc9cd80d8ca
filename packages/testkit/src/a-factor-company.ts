/**
 * A company whose IdP proves a password and nothing more, with people who enrol a second factor and show it: at the first of two brokers, unless
 * a test says otherwise. Everything that a person does goes through the pages.
 */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { readEnv } from '@drawbridge/runtime/env'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from './a-broker.js'
import {
  type APage,
  type APlainBrowser,
  aCompany,
  anAuthorizeUrl,
  anIdp,
  aPlainBrowser,
  aWebRedirectUri,
  hidden,
  publish,
} from './a-login.js'
import { type APasskey, aPasskey, type PasskeyLie } from './a-passkey.js'
import { anAdmin } from './an-admin.js'
import { appShows } from './an-authenticator-app.js'
import { asOwner, testDatabase } from './database.js'

export const origin = 'http://localhost:4400'
export const issuer = `${origin}/t/acme`

/** Somebody with a browser. */
export type Person = { readonly sub: string; readonly browser: APlainBrowser; readonly email?: string }

const policy = (strength: string) => `version: 1
rules: [{name: staff, effect: grant, scopes: [read, write, purge], groups: [staff]}]
mfa: [{name: strong, strength: ${strength}, freshSeconds: 300}]
`

export const formOf = ({ text }: APage) => ({ request: hidden(text, 'request'), proof: hidden(text, 'proof') })
export const optionsOf = ({ text }: APage) =>
  JSON.parse(
    (/data-options="([^"]+)"/.exec(text)?.[1] ?? 'null').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&'),
  )
export const keyOf = ({ text }: APage): string =>
  (/<code>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})<\/code>/.exec(text)?.[1] ?? '').replaceAll(' ', '')
export const isGranted = ({ location }: APage): boolean => location.startsWith(`${aWebRedirectUri}?code=dbc_`)
export const titleOf = ({ text }: APage): string => /<h1>([^<]*)</.exec(text)?.[1] ?? ''

export async function aFactorCompany() {
  let now: Instant = instant(Date.now())
  const fixture = await testDatabase()
  const owner = <Row = Record<string, unknown>>(sql: string, ...parameters: unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
  const acme = await aCompany(fixture, 'acme', now)
  const scope =
    "INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'purge', 'purge', 'admin', false)"
  await owner(scope, acme.tenantId, acme.resourceId)
  const idp = anIdp(() => now)
  const settings = readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' })
  const change = { clock: { now: () => now }, connectorFor: idp.connectorFor, settings }
  const [broker, other] = [await aBroker(fixture.database, change), await aBroker(fixture.database, change)]
  const call = anAdmin(broker)
  const { privateKey, ...key } = generateSigningKey(broker.deps.random, 'tokens')
  const place = { tenant: acme.tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  const sealedPrivateKey = broker.deps.sealer.seal(privateKey, { installation: broker.deps.installation.id, ...place })
  await inTenant(fixture.database, acme.tenantId, (db) =>
    insertSigningKey(db, acme.tenantId, { ...key, issuerId: acme.issuerId, state: 'active', now, sealedPrivateKey }),
  )
  const demand = (strength: string) => publish(fixture, acme, now, policy(strength))

  const set = (setting: object) => call('PUT', '/tenants/acme/second-factor', setting)

  const aPerson = (at: TestBroker = broker): Person => ({ sub: randomUUID(), browser: aPlainBrowser({ issuer, url: at.url }) })
  /** The same person, session and browser, at the other process. */
  const atOther = ({ browser, ...person }: Person): Person => {
    const same = aPlainBrowser({ issuer, url: other.url })
    for (const [name, value] of browser.jar) same.jar.set(name, value)
    return { ...person, browser: same }
  }

  /** Along every redirect of ours and through the IdP, until a page or the client. */
  async function walk(
    { sub, browser, email }: Person,
    from: APage,
    amr: readonly string[] = ['pwd'],
    more: Partial<typeof idp.says> = {},
  ): Promise<APage> {
    let page = from
    for (let hop = 0; hop < 10 && page.location !== '' && !page.location.startsWith(aWebRedirectUri); hop += 1) {
      idp.says = { sub, groups: ['staff'], amr, ...(email !== undefined && { email }), ...more }
      page = page.location.startsWith('https://idp.example')
        ? await browser.comeHome(page, acme.connectionId)
        : await browser.visit(page.location)
    }
    return page
  }
  const ask = async (person: Person, change: Record<string, string> = {}, amr?: readonly string[]): Promise<APage> =>
    walk(person, await person.browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'read', ...change })), amr)

  const post = async (person: Person, page: APage, fields: Record<string, string>): Promise<APage> =>
    walk(person, await person.browser.visit(`${issuer}/authorize/second-factor`, { ...formOf(page), ...fields }))

  /** Through the sign-in for it to the page of her own factors; `says`: what her IdP says of that sign-in. */
  const visit = async (person: Person, says: Partial<typeof idp.says> = {}): Promise<APage> => {
    const begin = await person.browser.visit(`${issuer}/factors`)
    const fields = { proof: hidden(begin.text, 'proof'), connection: acme.connectionId }
    return walk(person, await person.browser.visit(`${issuer}/factors/sign-in`, fields), ['pwd'], says)
  }
  const postVisit = async (person: Person, fields: Record<string, string>): Promise<APage> =>
    walk(person, await person.browser.visit(`${issuer}/factors`, fields))

  const subjectOf = async ({ sub }: Person): Promise<string> =>
    (await owner<{ id: string }>('SELECT id FROM subjects WHERE tenant_id = $1 AND stable_id = $2', acme.tenantId, sub))[0]?.id ?? ''
  const codeFor = async (person: Person): Promise<string> =>
    (await call('POST', `/tenants/acme/subjects/${await subjectOf(person)}/factor-codes`)).body.code
  async function reset(person: Person) {
    const done = await call('POST', `/tenants/acme/subjects/${await subjectOf(person)}/factors/reset`, { reason: 'lost it' })
    // Whole seconds decide what a barrier leaves behind.
    now = addSeconds(now, 2)
    return done
  }
  const trailOf = async (person: Person) =>
    (
      await owner<{ line: string }>(
        "SELECT kind || COALESCE(' ' || reason, '') AS line FROM audit_events WHERE subject_id = $1 AND kind LIKE 'second_factor%' ORDER BY id",
        await subjectOf(person),
      )
    ).map(({ line }) => line.replace('second_factor.', ''))

  /** From nothing to the page that offers to enrol: the page of a code, and the code of the admin. */
  async function toEnrolment(person: Person, change?: Record<string, string>): Promise<APage> {
    const page = await ask(person, change)
    if (titleOf(page) !== 'Set up a second factor') throw new Error(`no enrolment is offered: ${titleOf(page)}`)
    return post(person, page, { act: 'redeem', code: await codeFor(person) })
  }
  /** `page`: where it leads. */
  async function withPasskey(
    person: Person,
    change?: Record<string, string>,
  ): Promise<{ readonly device: APasskey; readonly page: APage }> {
    const offered = await toEnrolment(person, change)
    const device = aPasskey(origin)
    return { device, page: await post(person, offered, { act: 'enrol_passkey', answer: device.create(optionsOf(offered)) }) }
  }
  async function withApp(person: Person): Promise<{ readonly key: string; readonly page: APage }> {
    const offered = await toEnrolment(person)
    const key = keyOf(offered)
    const page = await post(person, offered, { act: 'enrol_totp', key: hidden(offered.text, 'key'), code: appShows(key, now) })
    now = addSeconds(now, 30)
    return { key, page }
  }
  const answer = (person: Person, page: APage, device: APasskey, lie?: PasskeyLie) =>
    post(person, page, { act: 'passkey', answer: device.get(optionsOf(page), lie) })
  const enter = (person: Person, page: APage, key: string) => post(person, page, { act: 'totp', code: appShows(key, now) })

  /** An hour later, with everything as most tests want it. */
  const begin = async () => {
    now = addSeconds(now, 3600)
    idp.started.length = 0
    await demand('multi_factor')
    await set({ mode: 'on' })
  }
  const wait = (seconds: number): void => {
    now = addSeconds(now, seconds)
  }
  const close = async () => {
    await broker.close()
    await other.close()
    await fixture.close()
  }
  return {
    fixture,
    acme,
    idp,
    broker,
    other,
    begin,
    wait,
    now: () => now,
    close,
    owner,
    call,
    demand,
    set,
    aPerson,
    atOther,
    visit,
    postVisit,
    walk,
    ask,
    post,
    subjectOf,
    codeFor,
    reset,
    trailOf,
    toEnrolment,
    withPasskey,
    withApp,
    answer,
    enter,
  }
}
export type FactorCompany = Awaited<ReturnType<typeof aFactorCompany>>

/** A test login runs the whole chain at a real IdP, in both protocols, and opens nothing; a test is never a login, nor a login a test. */
import { readFileSync } from 'node:fs'
import type { Browser, Page } from '@drawbridge/simulator/browser'
import { asOwner } from '@drawbridge/testkit/database'
import { aPersonsBrowser, bothCompanies, type Company, isLetIn, type TwoCompanies, twoCompanies } from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
  // One address signs in here more often than any person does.
  for (const company of bothCompanies)
    await two.call('PUT', `/tenants/${company}/lab/rate-limits`, { login: { perSecond: 1000, burst: 1000 } })
})
afterAll(() => two?.close())

const owner = <Row>(text: string, ...parameters: unknown[]) => asOwner<Row>(two.fixture.ownerUrl, text, parameters)
const pathOf = (company: Company) => `/tenants/${company}/connections/${two.of(company).connectionId}/test-logins`
const forClient = (company: Company) => ({ clientId: two.of(company).clientId, resource: two.of(company).resource, scopes: ['read'] })

type Asked = Readonly<Record<string, unknown>>
const ask = async (company: Company, asked: Asked = {}) =>
  (await two.call('POST', pathOf(company), { loginHint: `ada@${company}.example`, ...asked })).body as { id: string; url: string }
const read = async (company: Company, { id }: { id: string }) => (await two.call('GET', `/tenants/${company}/test-logins/${id}`)).body

/** Opens the URL and goes on to the end. */
async function run(company: Company, asked: Asked = {}, browser: Browser = aPersonsBrowser()) {
  const test = await ask(company, asked)
  const done = await (await browser.open(test.url)).form().submit()
  return { test, done, result: await read(company, test) }
}

const written = [
  'subjects',
  'browser_sessions',
  'grants',
  'authorization_codes',
  'authorization_requests',
  'login_traces',
  'login_failures',
]
const countAll = async () =>
  Promise.all(written.map(async (table) => [table, (await owner<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n]))
const trailOf = async () => (await owner<{ kind: string }>('SELECT kind FROM audit_events')).map(({ kind }) => kind)

describe.each(bothCompanies)('a test of %s', (company) => {
  const address = `ada@${company}.example`

  it('tells what the IdP sent, what the mapping made of it, who would come in, and what policy would say', async () => {
    const { done, result } = await run(company, forClient(company))
    expect(done.text).toContain('this application would get access')
    expect(result).toMatchObject({
      state: 'finished',
      outcome: 'allowed',
      explanation: null,
      differences: [],
      found: {
        failure: null,
        answer: {
          kind: company === 'acme' ? 'saml' : 'oidc',
          claims: expect.arrayContaining([{ name: 'groups', values: expect.arrayContaining(['staff']) }]),
        },
        identity: {
          claims: expect.arrayContaining([['email', address]]),
          groups: { state: 'known', value: expect.arrayContaining(['staff']) },
        },
        admission: { comesIn: true, reason: null, mode: 'just_in_time', isKnown: false },
        strength: 'single_factor',
        decision: {
          kind: 'allow',
          scopes: ['read'],
          accessTokenTtl: { seconds: expect.any(Number), by: 'tier', detail: expect.any(String) },
          explanation: {
            scopes: [expect.objectContaining({ scope: 'read', granted: true, because: expect.stringContaining('rule staff') })],
          },
        },
      },
    })
    expect(result.found.steps.every(({ verdict }: { verdict: string }) => verdict === 'passed')).toBe(true)
  })

  it('writes no subject, session, grant or code and no line of a login; the answer’s ids are entered', async () => {
    const before = await countAll()
    const replays = async () => (await owner<{ n: number }>('SELECT count(*)::int AS n FROM replays'))[0]?.n ?? 0
    const [known, trail] = [await replays(), (await trailOf()).length]
    const browser = aPersonsBrowser()
    const { test } = await run(company, forClient(company), browser)
    expect(await countAll()).toEqual(before)
    expect(await replays()).toBe(known + (company === 'acme' ? 2 : 1))
    expect((await trailOf()).slice(trail)).toEqual(['connection.test_login_created'])
    expect([...browser.cookies(two.publicUrl).keys()].filter((name) => name.startsWith('drawbridge-session'))).toEqual([])
    expect(await owner('SELECT consumed_at IS NOT NULL AS consumed FROM login_requests WHERE test_login_id = $1', test.id)).toEqual([
      { consumed: true },
    ])
  })

  it('holds no token, id of a message or handle, sealed or shown', async () => {
    const { test, result } = await run(company)
    const token = new URL(test.url).searchParams.get('token') ?? 'none'
    const [row] = await owner<{ sealed: Buffer; token_hash: Buffer }>('SELECT sealed, token_hash FROM test_logins WHERE id = $1', test.id)
    expect(row?.sealed.toString('latin1')).not.toContain(address)
    expect(row?.token_hash.toString('latin1')).not.toContain(token)
    for (const secret of [token, 'eyJ', 'SessionIndex', 'sessionIndex', 'nonce":"', 'SignatureValue'])
      expect(JSON.stringify(result)).not.toContain(secret)
  })

  it('without a client says who would come in, and asks no policy', async () => {
    expect((await run(company)).result).toMatchObject({ outcome: 'admitted', found: { decision: null, strength: null } })
  })

  it('is judged against a draft, and against a version', async () => {
    const draft = 'version: 1\nrules: []\n'
    const denied = (await run(company, { ...forClient(company), policyDocument: draft })).result
    expect(denied).toMatchObject({
      outcome: 'denied',
      found: { failure: { reason: 'nothing_granted' } },
      explanation: { remedy: expect.stringContaining('groups') },
    })
    expect((await run(company, { ...forClient(company), policyVersion: 0 })).result.outcome).toBe('denied')
    expect((await run(company, { ...forClient(company), policyVersion: 1 })).result.outcome).toBe('allowed')
  })

  it('is judged by an example policy, as somebody drafts it', async () => {
    const policyDocument = readFileSync(new URL('../../../../examples/policies/groups-to-scopes/policy.yaml', import.meta.url), 'utf8')
    const scopes = ['read', 'orders:read'].map((name) => ({ name, description: name, tier: 'read', isDefault: false }))
    await two.call('PUT', `/tenants/${company}/resources/${two.of(company).resourceId}/scopes`, { scopes })
    const { outcome, found } = (await run(company, { ...forClient(company), scopes: ['read', 'orders:read'], policyDocument })).result
    expect(outcome).toBe('allowed')
    expect(found.decision.explanation.scopes).toEqual([
      expect.objectContaining({ scope: 'read', granted: false, because: 'no rule grants it' }),
      expect.objectContaining({ scope: 'orders:read', granted: true, because: expect.stringContaining('granted by rule') }),
    ])
  })

  it('says that a second factor is missing, and after one was demanded that it is not there', async () => {
    const policyDocument = 'version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\nmfa: [{scopes: [read]}]\n'
    const clark = { ...forClient(company), policyDocument, loginHint: `clark@${company}.example` }
    expect((await run(company, clark)).result).toMatchObject({
      outcome: 'step_up',
      found: { decision: { kind: 'stepUp', missing: expect.stringContaining('multi-factor') } },
    })
    two.simulator.armFault(company, 'no-mfa')
    const demanded = (await run(company, { ...clark, secondFactor: true })).result
    expect(demanded).toMatchObject({ outcome: 'denied', found: { failure: { reason: 'mfa_missing' } } })
  })

  it('says that a factor of ours would be asked for, and what policy would say with it', async () => {
    const policyDocument =
      'version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\nmfa: [{scopes: [read], freshSeconds: 300}]\n'
    const clark = { ...forClient(company), policyDocument, loginHint: `clark@${company}.example` }
    const set = (setting: object) => two.call('PUT', `/tenants/${company}/second-factor`, setting)
    await set({ mode: 'on' })
    const allowed = { kind: 'allow', scopes: ['read'] }
    const toEnrol = { step: 'enrol', kinds: ['passkey', 'totp'], permittedBy: 'code', helpsAtOnce: true, decision: allowed }
    const first = (await run(company, clark)).result
    expect(first).toMatchObject({ outcome: 'step_up', found: { ownFactor: { asked: 'after_idp', ...toEnrol } } })
    await set({ mode: 'on', cannotProve: [two.of(company).connectionId] })
    const { done, result } = await run(company, clark)
    expect(done.text).toContain('You would be asked for a second factor here')
    expect(result).toMatchObject({ outcome: 'own_factor', found: { failure: null, ownFactor: { asked: 'at_once', ...toEnrol } } })
    // She has an app.
    const { tenantId, connectionId } = two.of(company)
    const stableId = String((result.found.identity as { stableId: string }).stableId)
    await owner(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       VALUES ($1, gen_random_uuid(), $2, $3, '{}', now(), now(), now()) ON CONFLICT DO NOTHING`,
      ...[tenantId, connectionId, stableId],
    )
    await owner(
      `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, sealed_secret, last_step, created_at)
       SELECT $1, gen_random_uuid(), id, 'totp', 'App', 'code', gen_random_uuid(), '', 0, now() FROM subjects WHERE tenant_id = $1 AND stable_id = $2`,
      ...[tenantId, stableId],
    )
    const toShow = { asked: 'at_once', step: 'challenge', kinds: ['totp'], permittedBy: null, helpsAtOnce: true, decision: allowed }
    expect((await run(company, clark)).result).toMatchObject({ outcome: 'own_factor', found: { ownFactor: toShow } })
    // A code cannot answer a demand of what cannot be phished.
    const strong = policyDocument.replace('mfa: [{', 'mfa: [{strength: phishing_resistant, ')
    expect((await run(company, { ...clark, policyDocument: strong })).result).toMatchObject({
      outcome: 'own_factor',
      found: { ownFactor: { step: 'enrol', kinds: ['passkey'], permittedBy: 'factor', helpsAtOnce: false } },
    })
    await set({ mode: 'off' })
    expect((await run(company, clark)).result).toMatchObject({ outcome: 'step_up', found: { ownFactor: null } })
    await owner('DELETE FROM factors WHERE tenant_id = $1', tenantId)
    await owner('DELETE FROM subjects WHERE tenant_id = $1 AND stable_id = $2', tenantId, stableId)
  })

  it('tells whom the directory shuts out', async () => {
    await two.call('PUT', `/tenants/${company}/provisioning`, { mode: 'scim_only' })
    const { done, result } = await run(company, forClient(company))
    await two.call('PUT', `/tenants/${company}/provisioning`, { mode: 'just_in_time' })
    expect(done.text).toContain('still not be let in')
    expect(result).toMatchObject({
      outcome: 'not_admitted',
      found: { admission: { comesIn: false, reason: 'subject_not_in_directory', mode: 'scim_only' }, decision: null },
      explanation: { cause: expect.stringContaining('SCIM') },
    })
  })

  it.each(['wrong-audience', 'expired-certificate', 'clock-skew'] as const)('names cause and remedy of %s', async (fault) => {
    two.simulator.armFault(company, fault)
    const { done, result } = await run(company)
    expect(done.text).toContain('What helps')
    expect(result).toMatchObject({
      state: 'answered',
      outcome: 'refused',
      explanation: { cause: expect.any(String), guide: expect.stringContaining('docs/how-to/connect-a') },
    })
    const isProven = fault !== 'expired-certificate'
    expect(result.found.answer.proven).toBe(isProven)
    expect(JSON.stringify(result.found.answer).includes(address)).toBe(isProven)
    if (fault === 'wrong-audience') expect(result.differences).toEqual([expect.objectContaining({ what: 'audience' })])
  })

  it('runs at a connection that is switched off, through which nobody signs in', async () => {
    await owner('UPDATE connections SET disabled_at = now() WHERE id = $1', two.of(company).connectionId)
    await two.call('PUT', `/tenants/${company}/login-tracing`, { recordClaims: false })
    try {
      expect((await run(company)).result.outcome).toBe('admitted')
      expect((await two.signIn(company, 'ada')).text).toMatch(/connection_(missing|unknown)/)
    } finally {
      await owner('UPDATE connections SET disabled_at = NULL WHERE id = $1', two.of(company).connectionId)
      await two.configure(company)
    }
  })
})

describe('the one-time URL', () => {
  it('does nothing when it is only opened, and is taken on once', async () => {
    const test = await ask('acme')
    for (let n = 0; n < 3; n += 1) expect((await aPersonsBrowser().open(test.url)).text).toContain('Nothing is opened')
    expect((await read('acme', test)).state).toBe('waiting')
    const [first, second] = [aPersonsBrowser(), aPersonsBrowser()]
    const pages = [await first.open(test.url), await second.open(test.url)] as [Page, Page]
    await pages[0].form().submit()
    expect((await pages[1].form().submit()).text).toContain('test_login_over')
    expect((await first.open(test.url)).text).toContain('test_login_over')
  })

  it('counts only with the cookie of the browser that was shown it', async () => {
    const test = await ask('acme')
    const shown = await aPersonsBrowser().open(test.url)
    const { fields, action } = shown.form()
    for (const browser of [aPersonsBrowser(), await withACookie()])
      expect((await browser.post(action, fields)).text).toMatch(/step_proof_invalid/)
    expect((await read('acme', test)).state).toBe('waiting')
  })
  const withACookie = async () => {
    const browser = aPersonsBrowser()
    await browser.open((await ask('acme')).url)
    return browser
  }

  it('ends by time, is none of another tenant, and never one that was made up', async () => {
    const late = await ask('acme')
    await owner("UPDATE test_logins SET created_at = created_at - interval '601 seconds' WHERE id = $1", late.id)
    const test = await ask('acme')
    const made = test.url.replace(/token=.*/, `token=dbl_${'A'.repeat(43)}`)
    for (const url of [late.url, test.url.replace('/t/acme/', '/t/globex/'), made, test.url.replace(/\?.*/, '')])
      expect((await aPersonsBrowser().open(url)).text).toContain('test_login_over')
    expect((await two.call('GET', `/tenants/globex/test-logins/${test.id}`)).status).toBe(404)
  })

  it('its result is read with the key that asked for it, and with no other, whatever that may do', async () => {
    const key = async (tenant?: string) => {
      const wanted = { name: 'k', permissions: ['impersonate', 'configuration:read', 'audit:read'], expiresAt: '2099-01-01T00:00:00Z' }
      return (await two.call('POST', '/admin-keys', { ...wanted, ...(tenant === undefined ? {} : { tenant }) })).body.secret as string
    }
    const [own, colleague, vendor] = [await key('acme'), await key('acme'), await key()]
    const test = (await two.call('POST', pathOf('acme'), { loginHint: 'ada@acme.example' }, own)).body as { id: string; url: string }
    await (await aPersonsBrowser().open(test.url)).form().submit()
    const readWith = (secret: string | undefined) => two.call('GET', `/tenants/acme/test-logins/${test.id}`, undefined, secret)
    expect((await readWith(own)).body).toMatchObject({ state: 'finished', outcome: 'admitted' })
    for (const other of [colleague, vendor, undefined]) expect(await readWith(other)).toMatchObject({ status: 404 })
    // Nor is it given to whoever finds a test that an earlier version wrote down, without the key.
    await owner('UPDATE test_logins SET asked_by = NULL WHERE id = $1', test.id)
    expect((await readWith(own)).status).toBe(404)
  })

  it('is refused for what the tenant does not have, for half a question, and beyond the limit', async () => {
    const refusal = async (asked: Asked) => (await two.call('POST', pathOf('acme'), asked)).body.type
    expect(await refusal({ clientId: 'nobody', resource: two.of('acme').resource })).toContain('reference_unknown')
    expect(await refusal({ ...forClient('acme'), resource: two.of('globex').resource })).toContain('reference_unknown')
    expect(await refusal({ ...forClient('acme'), policyVersion: 99 })).toContain('reference_unknown')
    expect(await refusal({ clientId: two.of('acme').clientId })).toContain('test_login_incomplete')
    expect(await refusal({ policyDocument: 'version: 7' })).toContain('policy_invalid')
    expect(
      (await two.call('POST', pathOf('acme').replace(/connections\/[^/]+/, `connections/${two.of('globex').connectionId}`), {})).status,
    ).toBe(404)
    await owner(
      `INSERT INTO test_logins (tenant_id, id, connection_id, token_hash, asked, created_at, expires_at)
       SELECT $1, gen_random_uuid(), $2, uuid_send(gen_random_uuid()), '{}', now(), now() + interval '1 hour' FROM generate_series(1, 50)`,
      ...[two.of('globex').tenantId, two.of('globex').connectionId],
    )
    expect((await two.call('POST', pathOf('globex'), {})).body.type).toContain('test_logins_enough')
    await owner('DELETE FROM test_logins')
  })
})

/** Starts a login or a test of acme, and stops with the answer in hand, as an attacker would. */
const held = (): Browser => aPersonsBrowser({ submitsSamlForms: false })
const answerOf = (page: Page) => page.form('SAMLResponse')

describe('a test is never a login, and a login never a test', () => {
  it('the answer to a test does not finish a login, nor the answer to a login a test', async () => {
    const browser = held()
    const test = await ask('acme')
    const ofTest = answerOf(await (await browser.open(test.url)).form().submit())
    const ofLogin = answerOf(await two.signIn('acme', 'ada', browser))
    const swapped = [
      await browser.post(ofTest.action, { ...ofTest.fields, RelayState: ofLogin.fields['RelayState'] ?? '' }),
      await browser.post(ofTest.action, { ...ofLogin.fields, RelayState: ofTest.fields['RelayState'] ?? '' }),
    ]
    for (const page of swapped) expect(page.text).toContain('saml_in_response_to_wrong')
    // Neither has been spoilt by it.
    expect(isLetIn(await ofLogin.submit())).toBe(true)
    expect((await ofTest.submit()).text).toContain('The test is done')
    expect((await read('acme', test)).outcome).toBe('admitted')
  })

  it('an answer that a test has used up opens nothing, and counts once', async () => {
    const browser = held()
    const answer = answerOf(await (await browser.open((await ask('acme')).url)).form().submit())
    expect((await answer.submit()).text).toContain('The test is done')
    expect((await answer.submit()).text).toContain('request_not_of_browser')
  })

  it('its trip leads nowhere as an authorization request', async () => {
    const browser = held()
    const answer = answerOf(await (await browser.open((await ask('acme')).url)).form().submit())
    for (const step of ['choose-connection', 'client-notice', 'consent']) {
      const page = await browser.open(`${two.publicUrl}/t/acme/authorize/${step}?request=${answer.fields['RelayState']}`)
      expect([step, page.text.includes('request_expired')]).toEqual([step, true])
    }
  })

  it('goes on in no other browser than the one that took it on', async () => {
    const test = await ask('acme')
    const answer = answerOf(await (await held().open(test.url)).form().submit())
    const stranger = aPersonsBrowser()
    await stranger.open((await ask('acme')).url)
    expect((await stranger.post(answer.action, answer.fields)).text).toContain('request_not_of_browser')
    expect((await read('acme', test)).state).toBe('started')
  })

  it('a test of an OpenID provider goes on in no other browser, either', async () => {
    const test = await ask('globex')
    const leaving = aPersonsBrowser({ stopAt: `${two.connectionUrl('globex')}/callback` })
    const stopped = await (await leaving.open(test.url)).form().submit()
    expect((await aPersonsBrowser().open(stopped.url)).text).toContain('request_not_of_browser')
    expect((await leaving.open(stopped.url)).isStopped).toBe(true)
    expect((await read('globex', test)).state).toBe('started')
  })

  it('the schema itself refuses a trip that is both or neither', async () => {
    const trip = (request: string, test: string, purpose: string) =>
      owner(
        `INSERT INTO login_requests (tenant_id, id, authorization_request_id, test_login_id, connection_id, purpose, browser_hash, upstream_id, sealed_state,
           tenant_epoch, connection_epoch, created_at, expires_at) SELECT tenant_id, gen_random_uuid(), ${request}, ${test}, connection_id, '${purpose}', '', gen_random_uuid()::text, '', 1, 1, now(), now()
         FROM test_logins LIMIT 1`,
      )
    await ask('acme')
    for (const [request, test, purpose] of [
      ['NULL', 'id', 'login'],
      ['NULL', 'NULL', 'test'],
      ['id', 'id', 'test'],
      ['NULL', 'NULL', 'login'],
      ['NULL', 'NULL', 'enrol'],
      ['NULL', 'id', 'enrol'],
    ] as const)
      await expect(trip(request, test, purpose)).rejects.toMatchObject({ constraint: 'login_requests_purpose_of_trip_check' })
  })
})

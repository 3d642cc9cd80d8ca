/** A login that fails at a real IdP leaves a trace that names cause and remedy; in both protocols, and with nothing usable in it. */

import { existsSync } from 'node:fs'
import { traceLimits } from '@drawbridge/core/identity/login-trace'
import { asOwner } from '@drawbridge/testkit/database'
import {
  aPersonsBrowser,
  bothCompanies,
  type Company,
  type TwoCompanies,
  theirRedirectUri,
  twoCompanies,
} from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
  // One address signs in here more often than any person does.
  for (const company of bothCompanies)
    await two.call('PUT', `/tenants/${company}/lab/rate-limits`, { login: { perSecond: 1000, burst: 1000 } })
})
afterAll(() => two?.close())
beforeEach(async () => {
  for (const table of ['login_traces', 'login_failures']) await asOwner(two.fixture.ownerUrl, `DELETE FROM ${table}`)
})

type Fault = Parameters<TwoCompanies['simulator']['armFault']>[1]

/** Signs in once while the IdP is wrong; answers the page, and the trace that its code leads to. */
async function failedLogin(company: Company, fault: Fault, person = 'ada') {
  two.simulator.armFault(company, fault)
  const page = await two.signIn(company, person)
  const code = /tell them the code\s*([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(page.text)?.[1] ?? 'none'
  return { page, code, trace: (await two.call('GET', `/tenants/${company}/login-traces/${code}`)).body }
}
const verdicts = (trace: { steps: readonly { stage: string; verdict: string }[] }) =>
  Object.fromEntries(trace.steps.map(({ stage, verdict }) => [stage, verdict]))

describe.each(bothCompanies)('a login of %s', (company) => {
  const isSaml = company === 'acme'

  it('for another audience: proven, and told with both audiences', async () => {
    const { page, code, trace } = await failedLogin(company, 'wrong-audience')
    expect(page.status).toBe(400)
    expect(trace).toMatchObject({
      code,
      outcome: 'refused',
      proven: true,
      reason: isSaml ? 'saml_audience_wrong' : 'oidc_id_token_refused',
      differences: [{ what: 'audience', received: [expect.any(String)] }],
    })
    expect(trace.cause).toContain(isSaml ? 'made for somebody else' : 'made for another client')
    expect(trace.remedy).toContain(isSaml ? 'audience' : 'client ID')
    expect(verdicts(trace)).toMatchObject({ start: 'passed', signature: 'passed', rules: 'refused', policy: 'not_reached' })
    expect(trace.guide).toContain(isSaml ? 'connect-a-saml-idp.md' : 'connect-an-oidc-idp.md')
  })

  it('signed by a key that nobody knows: not proven, and no value of it is kept', async () => {
    const { trace } = await failedLogin(company, 'expired-certificate')
    expect(trace).toMatchObject({ proven: false, reason: isSaml ? 'saml_signature_invalid' : 'oidc_id_token_refused' })
    expect(trace.cause).toMatch(isSaml ? /No certificate of this connection/ : /does not publish/)
    expect(verdicts(trace)[isSaml ? 'rules' : 'policy']).toBe('not_reached')
    expect(JSON.stringify(trace)).not.toContain('ada@')
  })

  it('from an IdP whose clock is wrong: the trace says by how much', async () => {
    const { trace } = await failedLogin(company, 'clock-skew')
    expect(trace.remedy).toMatch(/clock/)
    const off = Number(trace.answer.issuedSecondsAgo)
    if (isSaml) expect(off).toBeLessThan(-500)
    else expect(off).toBeGreaterThan(3600)
  })

  it('without the second factor that policy demands: denied, with the reasons of every scope', async () => {
    const demanding = 'version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\nmfa: [{scopes: [read]}]\n'
    await two.call('POST', `/tenants/${company}/policies`, { document: demanding })
    const browser = aPersonsBrowser()
    two.simulator.armFault(company, 'no-mfa')
    const query = { login_hint: `clark@${company}.example`, connection: two.of(company).connectionId }
    const page = await browser.open(two.authorizeUrl(company, query))
    const code = /tell them the code\s*([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(page.text)?.[1]
    const { body: trace } = await two.call('GET', `/tenants/${company}/login-traces/${code?.toLowerCase().replace('-', '')}`)
    expect(trace).toMatchObject({ outcome: 'denied', reason: 'mfa_missing', proven: true, identity: null })
    expect(trace.explanation.scopes).toEqual([expect.objectContaining({ scope: 'read', granted: false })])
    expect(trace.claimNames).toContain('email')
    expect(verdicts(trace)).toMatchObject({ admission: 'passed', policy: 'refused' })
    await two.call('POST', `/tenants/${company}/policies/1/republish`, {})
  })

  it('by somebody whom the directory does not know: not admitted; her claims only where the tenant records them', async () => {
    const refusedOnce = async () => {
      const page = await two.signIn(company, 'ada')
      const code = /tell them the code\s*([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(page.text)?.[1]
      return (await two.call('GET', `/tenants/${company}/login-traces/${code}`)).body
    }
    await two.call('PUT', `/tenants/${company}/provisioning`, { mode: 'scim_only' })
    const names = await refusedOnce()
    expect(names).toMatchObject({ reason: 'subject_not_in_directory', identity: null, claimNames: expect.arrayContaining(['email']) })
    expect(names.remedy).toContain('synchronisation')
    expect(JSON.stringify(names)).not.toContain(`ada@${company}.example`)
    await two.call('PUT', `/tenants/${company}/login-tracing`, { recordClaims: true })
    const whole = await refusedOnce()
    expect(whole.identity.claims).toContainEqual(['email', `ada@${company}.example`])
    expect(JSON.stringify(whole)).not.toContain('idpSession')
    await two.call('PUT', `/tenants/${company}/login-tracing`, { recordClaims: false })
    expect((await refusedOnce()).identity).toBeNull()
    await two.call('PUT', `/tenants/${company}/provisioning`, { mode: 'just_in_time' })
  })

  it('that works leaves none', async () => {
    await two.signIn(company, 'ada')
    expect((await two.call('GET', `/tenants/${company}/login-traces`)).body.loginTraces).toEqual([])
  })
})

describe('a trace', () => {
  it('is sealed where it rests, and read by nobody of another tenant', async () => {
    const { code } = await failedLogin('acme', 'wrong-audience')
    const [row] = await asOwner<{ sealed: Buffer }>(two.fixture.ownerUrl, 'SELECT sealed FROM login_traces')
    expect(row?.sealed.toString('latin1')).not.toMatch(/audience|groups|Success/)
    expect((await two.call('GET', `/tenants/globex/login-traces/${code}`)).status).toBe(404)
    expect((await two.call('GET', `/tenants/globex/login-traces?code=${code}`)).body.loginTraces).toEqual([])
    expect((await two.call('GET', '/tenants/acme/login-traces/not-a-code-at-all')).status).toBe(404)
  })

  it('is found by connection, outcome, reason and code, and is over after its time', async () => {
    const { code } = await failedLogin('acme', 'wrong-audience')
    const { connectionId } = two.of('acme')
    const found = async (query: string) => (await two.call('GET', `/tenants/acme/login-traces?${query}`)).body.loginTraces.length
    for (const query of [`connection=${connectionId}`, 'outcome=refused', 'reason=saml_audience_wrong', `code=${code}`])
      expect([query, await found(query)]).toEqual([query, 1])
    for (const query of [
      `connection=${two.of('globex').connectionId}`,
      'outcome=denied',
      'reason=saml_unsigned',
      'code=AAAA-AAAA',
      'code=zzz',
    ])
      expect([query, await found(query)]).toEqual([query, 0])
    await asOwner(two.fixture.ownerUrl, "UPDATE login_traces SET expires_at = now() - interval '1 second'")
    expect((await two.call('GET', `/tenants/acme/login-traces/${code}`)).status).toBe(404)
    expect(await found('')).toBe(0)
  })

  it('is kept for seven days, and so is its count', async () => {
    await failedLogin('acme', 'wrong-audience')
    const kept = 'SELECT round(extract(epoch FROM expires_at - now()) / 86400)::int AS days FROM'
    for (const table of ['login_traces', 'login_failures'])
      expect([table, await asOwner(two.fixture.ownerUrl, `${kept} ${table}`)]).toEqual([table, [{ days: 7 }]])
  })

  it('of a reason that this version does not know leads to a page that is there', async () => {
    const { code } = await failedLogin('acme', 'wrong-audience')
    await asOwner(two.fixture.ownerUrl, "UPDATE login_traces SET reason = 'of_another_version'")
    const { body } = await two.call('GET', `/tenants/acme/login-traces/${code}`)
    expect(body.remedy).toContain('documentation of that version')
    expect(existsSync(new URL(`../../../../${body.guide}`, import.meta.url))).toBe(true)
  })

  it('does not keep its connection from being removed', async () => {
    const added = await two.addConnection('acme', 'saml', { ssoUrl: 'https://nowhere.example/sso' })
    await fetch(`${added.url}/acs`, { method: 'POST', body: new URLSearchParams({ SAMLResponse: 'PHg+' }) })
    const list = `/tenants/acme/login-traces?connection=${added.id}`
    expect((await two.call('GET', list)).body.loginTraces).toHaveLength(1)
    expect((await two.call('DELETE', `/tenants/acme/connections/${added.id}`)).status).toBe(204)
    expect((await two.call('GET', list)).body.loginTraces).toEqual([])
  })
})

describe('what anybody can send', () => {
  const postStray = (company: Company) =>
    fetch(`${two.connectionUrl(company)}/acs`, { method: 'POST', body: new URLSearchParams({ SAMLResponse: 'PHg+' }) }).then((answer) =>
      answer.text(),
    )

  it('fills no more than its sample, is counted whole, and hides no other reason', async () => {
    const { unprovenPerHour, unprovenPerReason } = traceLimits
    const pages = await Promise.all(Array.from({ length: unprovenPerHour + 10 }, () => postStray('acme')))
    expect(pages.filter((page) => page.includes('tell them the code'))).toHaveLength(unprovenPerReason)
    expect((await two.call('GET', '/tenants/acme/login-traces')).body.loginTraces).toHaveLength(unprovenPerReason)
    const { trace } = await failedLogin('acme', 'expired-certificate')
    expect(trace.reason).toBe('saml_signature_invalid')
    const { body } = await two.call('GET', '/tenants/acme/login-failures')
    expect(body.loginFailures).toEqual([
      expect.objectContaining({
        proven: 0,
        unproven: unprovenPerHour + 11,
        reasons: { login_unsolicited: unprovenPerHour + 10, saml_signature_invalid: 1 },
      }),
    ])
  })

  it('never takes the place of what the IdP itself said', async () => {
    await asOwner(
      two.fixture.ownerUrl,
      `INSERT INTO login_failures (tenant_id, connection_id, hour, proven, failures, reasons, expires_at)
       VALUES ($1, $2, date_trunc('hour', now()), false, 1000000, '{"a": 1000, "b": 1000, "c": 1000, "d": 1000}', now() + interval '1 day')`,
      [two.of('acme').tenantId, two.of('acme').connectionId],
    )
    expect(await postStray('acme')).not.toContain('tell them the code')
    expect((await failedLogin('acme', 'wrong-audience')).trace.reason).toBe('saml_audience_wrong')
  })

  it('nor does somebody of the company, who fails in one way again and again, hide how the others fail', async () => {
    const { provenPerReason } = traceLimits
    await asOwner(
      two.fixture.ownerUrl,
      `INSERT INTO login_failures (tenant_id, connection_id, hour, proven, failures, reasons, expires_at)
       VALUES ($1, $2, date_trunc('hour', now()), true, $3, jsonb_build_object('saml_audience_wrong', $3::int), now() + interval '1 day')`,
      [two.of('acme').tenantId, two.of('acme').connectionId, 10 * provenPerReason],
    )
    expect((await failedLogin('acme', 'wrong-audience')).code).toBe('none')
    expect((await failedLogin('acme', 'clock-skew')).trace.proven).toBe(true)
  })

  it('takes a bounded room, however many names an answer has that nobody signed', async () => {
    const begun = await fetch(two.authorizeUrl('acme', { connection: two.of('acme').connectionId }), { redirect: 'manual' })
    const relayState = new URL(begun.headers.get('location') ?? '').searchParams.get('RelayState') ?? ''
    const cookie = begun.headers
      .getSetCookie()
      .map((each) => each.split(';')[0])
      .join('; ')
    const name = (index: number) => `${index}${'\u4E00'.repeat(300)}`
    const attributes = Array.from(
      { length: 80 },
      (_, index) => `<Attribute Name="${name(index)}"><AttributeValue>x</AttributeValue></Attribute>`,
    )
    const assertion = `<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2026-01-01T00:00:00Z"><Issuer>x</Issuer><Subject><NameID>x</NameID></Subject><AttributeStatement>${attributes.join('')}</AttributeStatement></Assertion>`
    const response = `<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0" IssueInstant="2026-01-01T00:00:00Z"><Status><StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></Status>${assertion}</Response>`
    const form = new URLSearchParams({ SAMLResponse: Buffer.from(response).toString('base64'), RelayState: relayState })
    const parked = await fetch(`${two.connectionUrl('acme')}/acs`, { method: 'POST', body: form, redirect: 'manual' })
    const page = await (await fetch(parked.headers.get('location') ?? '', { headers: { cookie } })).text()
    const code = /tell them the code\s*<strong><code>([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(page)?.[1]
    const { body: trace } = await two.call('GET', `/tenants/acme/login-traces/${code}`)
    expect(trace).toMatchObject({ proven: false, reason: expect.stringMatching(/^saml_/), answer: null })
    const [row] = await asOwner<{ octets: number }>(two.fixture.ownerUrl, 'SELECT octet_length(sealed) AS octets FROM login_traces')
    expect(row?.octets).toBeLessThan(traceLimits.unprovenOctets + 200)
  })

  it('in a browser that began no login leaves a trace that says so', async () => {
    const opened = await aPersonsBrowser().open(`${two.connectionUrl('globex')}/callback?code=x&state=11111111-2222-4333-8444-555555555555`)
    const code = /tell them the code\s*([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(opened.text)?.[1]
    expect((await two.call('GET', `/tenants/globex/login-traces/${code}`)).body).toMatchObject({
      reason: 'request_not_of_browser',
      proven: false,
      answer: null,
      steps: expect.arrayContaining([{ stage: 'message', verdict: 'refused' }]),
    })
  })
})

it('an IdP that cannot be asked is a trace, too', async () => {
  await two.configure('globex', { issuer: 'http://127.0.0.1:9/nowhere' })
  const page = await two.signIn('globex', 'ada')
  const code = /tell them the code\s*([0-9A-Z]{4}-[0-9A-Z]{4})/.exec(page.text)?.[1]
  const { body } = await two.call('GET', `/tenants/globex/login-traces/${code}`)
  expect(body).toMatchObject({
    outcome: 'unavailable',
    reason: 'upstream_fetch_failed',
    proven: false,
    steps: expect.arrayContaining([{ stage: 'start', verdict: 'refused' }]),
  })
  expect(page.url.startsWith(theirRedirectUri)).toBe(false)
  await two.configure('globex')
})

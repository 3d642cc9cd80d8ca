import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SamlAssertion } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { parkedLimits } from '@drawbridge/store/parked-messages'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { withoutLogout } from '@drawbridge/testkit/a-login'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import type { Connector, StartLogin } from '@drawbridge/upstream/connector'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const issuer = 'http://localhost:4400/t/acme'
const now: Instant = instant(Date.now())
const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(
  readFileSync(new URL('../../../../packages/upstream/src/saml/fixtures/idp-rsa.pem', import.meta.url), 'utf8'),
)?.[0]
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let started: StartLogin | undefined
let finished = 0

/** `assertion@response`, or one name for both. */
const idsOf = (message: string) => {
  const [assertionId = '', responseId = `r-${message}`] = message.split('@')
  return { assertionId, responseId }
}

const connector = (): Connector => ({
  ...withoutLogout,
  start: async (request) => {
    started = request
    return ok({
      answer: { kind: 'form', action: 'https://idp.example/sso', fields: { RelayState: request.relayState } },
      upstreamId: request.relayState,
      state: new Secret('s'),
    })
  },
  finish: async (message) => {
    finished += 1
    const said = message.parameters.get('SAMLResponse')
    if (said === 'forged') return err({ reason: 'saml_signature_invalid' })
    if (said === 'sealed by AES-CBC') return err({ reason: 'saml_decryption_failed' })
    if (said === 'too old') return err({ reason: 'saml_too_old' })
    const assertion: SamlAssertion = {
      kind: 'saml',
      connectionId: acme.connectionId,
      ...idsOf(message.parameters.get('SAMLResponse') as string),
      issuer: 'https://idp.example',
      nameId: { value: 'ada', format: undefined, nameQualifier: undefined, spNameQualifier: undefined },
      sessionIndex: 'session',
      attributes: new Map(),
      authnContextClassRef: undefined,
      authnInstant: now,
      sessionNotOnOrAfter: undefined,
      issuedAt: now,
      replayableUntil: addSeconds(now, 300),
    }
    return ok(assertion)
  },
})

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const configuration = JSON.stringify({
    idpEntityId: 'https://idp.example',
    ssoUrl: 'https://idp.example/sso',
    certificates: [certificate],
  })
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'saml', configuration = $1", [configuration])
  await asOwner(fixture.ownerUrl, "UPDATE clients SET pre_approved = true, redirect_uris = '{https://app.example/cb}'")
  await asOwner(
    fixture.ownerUrl,
    "INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'Read', 'read', true)",
    [acme.tenantId, acme.resourceId],
  )
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: connector })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})

const at = (url: string, process = broker) => url.replace('http://localhost:4400', process.url)
const acs = () => `${issuer}/saml/${acme.connectionId}/acs`
const begin = async (process = broker): Promise<string> => {
  const query = {
    client_id: acme.clientId,
    redirect_uri: 'https://app.example/cb',
    response_type: 'code',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    resource: acme.resource,
  }
  const response = await fetch(at(`${issuer}/authorize?${new URLSearchParams(query)}`, process), { redirect: 'manual' })
  expect(response.headers.get('content-security-policy')).toContain("form-action 'self' https://idp.example")
  return response.headers.getSetCookie()[0]?.split(';')[0] as string
}
const post = (form: Record<string, string>, process = broker) =>
  fetch(at(acs(), process), { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
const follow = async (location: string, cookie?: string, process = broker) => {
  const response = await fetch(at(location, process), { redirect: 'manual', ...(cookie === undefined ? {} : { headers: { cookie } }) })
  return { status: response.status, text: await response.text(), cookies: response.headers.getSetCookie() }
}

const countOf = async (table: 'browser_sessions' | 'parked_messages') =>
  (await asOwner<{ count: number }>(fixture.ownerUrl, `SELECT count(*)::int AS count FROM ${table}`))[0]?.count ?? 0

it('parks the cross-site POST unjudged and judges it once, in the browser that asked', async () => {
  const cookie = await begin()
  const parked = await post({ SAMLResponse: 'message-1', RelayState: started?.relayState as string })
  expect(parked.status).toBe(303)
  expect(finished).toBe(0)
  const location = parked.headers.get('location') as string
  expect((await follow(location)).text).toContain('request_not_of_browser')
  expect(finished).toBe(0)
  const judged = await follow(location, cookie)
  // Nothing is granted without a policy, but she is signed in: the page is the refusal of policy.
  expect(judged.text).toContain('nothing_granted')
  expect(judged.cookies.some((value) => value.startsWith('drawbridge-session-acme=') && value.includes('HttpOnly; SameSite=Lax'))).toBe(
    true,
  )
  expect((await follow(location, cookie)).text).toContain('request_not_of_browser')
  expect(finished).toBe(1)
})

it('lets no other browser spend a parked message, and none spend one that names a login of another', async () => {
  const [hers, strangers] = [await begin(), await begin()]
  const relayState = started?.relayState as string
  const parked = (await post({ SAMLResponse: 'message-of-stranger', RelayState: relayState })).headers.get('location') as string
  const judged = finished
  expect((await follow(parked, hers)).text).toContain('request_not_of_browser')
  expect(finished).toBe(judged)
  expect((await follow(parked, strangers)).text).toContain('nothing_granted')
  expect(finished).toBe(judged + 1)
})

it('leaves the login open when what was parked in its name is forged', async () => {
  const cookie = await begin()
  const relayState = started?.relayState as string
  const forged = (await post({ SAMLResponse: 'forged', RelayState: relayState })).headers.get('location') as string
  const refused = await follow(forged, cookie)
  expect(refused.text).toContain('cause <code>saml_signature_invalid</code>')
  expect(refused.text).toContain('No certificate of this connection made the signature')
  const genuine = (await post({ SAMLResponse: 'message-after-forgery', RelayState: relayState })).headers.get('location') as string
  expect((await follow(genuine, cookie)).text).toContain('nothing_granted')
})

it('keeps the message sealed at rest', async () => {
  await begin()
  await asOwner(fixture.ownerUrl, 'DELETE FROM parked_messages')
  await post({ SAMLResponse: 'message-at-rest', RelayState: started?.relayState as string })
  const rows = await asOwner<{ sealed: Buffer }>(fixture.ownerUrl, 'SELECT sealed FROM parked_messages')
  expect(rows).toHaveLength(1)
  expect(rows.some((row) => row.sealed.toString('latin1').includes('message-at-rest'))).toBe(false)
})

describe('what names no open login is not parked at all', () => {
  const kept = async (relayState: string, to = acs()) => {
    await asOwner(fixture.ownerUrl, 'DELETE FROM parked_messages')
    const answer = await fetch(at(to), {
      method: 'POST',
      body: new URLSearchParams({ SAMLResponse: 'm', RelayState: relayState }),
      redirect: 'manual',
    })
    return { status: answer.status, text: await answer.text(), parked: await countOf('parked_messages') }
  }
  const changed = async (change: string) => {
    await begin()
    await asOwner(fixture.ownerUrl, `UPDATE login_requests SET ${change} WHERE id = $1`, [started?.relayState as string])
    return started?.relayState as string
  }

  it.each([
    { what: 'one that never was', relayState: async () => randomUUID() as string },
    { what: 'one that was answered', relayState: () => changed('consumed_at = now()') },
    { what: 'one that is too old', relayState: () => changed("expires_at = now() - interval '1 hour'") },
  ])('$what', async ({ relayState }) => {
    const refused = await kept(await relayState())
    expect(refused).toMatchObject({ status: 400, text: expect.stringContaining('request_not_of_browser'), parked: 0 })
  })

  it('one of another connection', async () => {
    const other = randomUUID()
    await begin()
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
       SELECT tenant_id, $2, kind, 'Other', configuration, created_at FROM connections WHERE tenant_id = $1 LIMIT 1`,
      [acme.tenantId, other],
    )
    broker.deps.configuration.invalidate()
    expect(await kept(started?.relayState as string, `${issuer}/saml/${other}/acs`)).toMatchObject({ status: 400, parked: 0 })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE id = $1', [other])
    broker.deps.configuration.invalidate()
  })

  it('and in the name of one login rest only so many: a further one takes the place of the oldest, and the genuine one is judged', async () => {
    const cookie = await begin()
    const relayState = started?.relayState as string
    await asOwner(fixture.ownerUrl, 'DELETE FROM parked_messages')
    for (let count = 0; count < parkedLimits.messagesOfLogin + 3; count += 1) await post({ SAMLResponse: 'forged', RelayState: relayState })
    expect(await countOf('parked_messages')).toBe(parkedLimits.messagesOfLogin)
    const genuine = (await post({ SAMLResponse: 'message-in-a-crowd', RelayState: relayState })).headers.get('location') as string
    expect(await countOf('parked_messages')).toBe(parkedLimits.messagesOfLogin)
    expect((await follow(genuine, cookie)).text).toContain('nothing_granted')
  })
})

it('refuses an assertion id that was believed before, in a new login of the same browser', async () => {
  const before = await countOf('browser_sessions')
  const cookie = await begin()
  const parked = await post({ SAMLResponse: 'message-1', RelayState: started?.relayState as string })
  expect((await follow(parked.headers.get('location') as string, cookie)).text).toContain('login_replayed')
  expect(await countOf('browser_sessions')).toBe(before)
})

describe('a response counts once at whichever process', () => {
  let another: TestBroker
  beforeAll(async () => {
    another = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: connector })
  })
  afterAll(() => another.close())

  it.each([
    { what: 'both ids again', first: 'a1@r1', again: 'a1@r1', outcome: 'login_replayed' },
    { what: 'the assertion in a new envelope', first: 'a2@r2', again: 'a2@r3', outcome: 'login_replayed' },
    { what: 'the envelope with a new assertion', first: 'a4@r4', again: 'a5@r4', outcome: 'login_replayed' },
    {
      what: 'the id of an assertion as that of an envelope, which is another kind',
      first: 'a6@r6',
      again: 'r6@a6',
      outcome: 'nothing_granted',
    },
  ])('$what: $outcome', async ({ first, again, outcome }) => {
    const believe = async (message: string, process: TestBroker) => {
      const cookie = await begin(process)
      const parked = await post({ SAMLResponse: message, RelayState: started?.relayState as string }, process)
      return (await follow(parked.headers.get('location') as string, cookie, process)).text
    }
    expect(await believe(first, broker)).toContain('nothing_granted')
    const before = await countOf('browser_sessions')
    expect(await believe(again, another)).toContain(outcome)
    expect(await countOf('browser_sessions')).toBe(before + (outcome === 'login_replayed' ? 0 : 1))
  })
})

it.each([undefined, '', 'https://idp.example/portal', 'x'.repeat(100)])(
  'refuses what the IdP began by itself, and keeps none of it: RelayState %s',
  async (relayState) => {
    const before = await countOf('parked_messages')
    const refused = await post({ SAMLResponse: 'message-2', ...(relayState === undefined ? {} : { RelayState: relayState }) })
    expect({ status: refused.status, text: await refused.text() }).toEqual({
      status: 400,
      text: expect.stringContaining('login_unsolicited'),
    })
    expect(await countOf('parked_messages')).toBe(before)
  },
)

it('prints the metadata that the IdP imports', async () => {
  const metadata = await fetch(at(`${issuer}/saml/${acme.connectionId}/metadata`))
  expect(metadata.headers.get('content-type')).toContain('samlmetadata+xml')
  expect(await metadata.text()).toContain(acs())
})

describe('the metadata is fetched anew', () => {
  const later = new Date(addSeconds(now, 6 * 3600))
  beforeEach(async () => {
    await asOwner(fixture.ownerUrl, 'DELETE FROM metadata_sources')
    const source = `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, next_fetch_at, created_at)
      VALUES ($1, $2, 'https://idp.example/metadata', '{}', $3, $4)`
    await asOwner(fixture.ownerUrl, source, [acme.tenantId, acme.connectionId, later, new Date(now)])
  })
  const answer = async (SAMLResponse: string) => {
    const cookie = await begin()
    const parked = await post({ SAMLResponse, RelayState: started?.relayState as string })
    const { text } = await follow(parked.headers.get('location') as string, cookie)
    const [row] = await asOwner<{ next_fetch_at: Date }>(fixture.ownerUrl, 'SELECT next_fetch_at FROM metadata_sources')
    return { text, nextFetchAt: Number(row?.next_fetch_at) }
  }

  it('when a signature does not verify, and forged ones cannot make that more often', async () => {
    const first = await answer('forged')
    expect(first.text).toContain('Try again in a minute')
    expect(first.nextFetchAt).toBe(now)
    await asOwner(fixture.ownerUrl, 'UPDATE metadata_sources SET next_fetch_at = $1', [later])
    expect((await answer('forged')).nextFetchAt).toBe(later.getTime())
  })
  it('when the signature may be behind a cipher that tells nothing of it', async () => {
    expect((await answer('sealed by AES-CBC')).nextFetchAt).toBe(now)
  })
  it('for no other refusal', async () => {
    expect((await answer('too old')).nextFetchAt).toBe(later.getTime())
  })
})

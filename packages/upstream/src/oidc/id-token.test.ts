import { toSeconds } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { describe, expect, test } from 'vitest'
import { createConnector } from '../connection.js'
import type { OidcConnection } from '../connection-configuration.js'
import { discoveryLifetimeSeconds } from './discovery.js'
import { aConnector, aSigner, goThrough, issuer, later, logIn, now } from './fixtures/a-provider.js'
import { issuerKeyLimits, issuerKeysOf } from './issuer-keys.js'

const tenant = '11111111-2222-4333-8444-555555555555'
const foreignTenant = '99999999-2222-4333-8444-555555555555'
const template = 'https://login.microsoftonline.com/{tenantid}/v2.0'
const entra = {
  issuer: template,
  discoveryUrl: 'https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration',
  tenantIds: [tenant],
}
const entraOf = (tid: string) => ({ iss: template.replace('{tenantid}', tid), tid })
const refusal = (reason: string, rule?: string) => ({
  ok: false,
  error: { reason, ...(rule !== undefined && { detail: expect.objectContaining({ rule }) }) },
})

describe('every kind of signed message that is no ID token is refused, though the right key signed it', () => {
  test.each([
    'logout+jwt',
    'at+jwt',
    'secevent+jwt',
    'global-token-revocation+jwt',
    'oauth-id-jag+jwt',
    'application/logout+jwt',
    'token-introspection+jwt',
    'dpop+jwt',
  ])('typ %s', async (typ) => {
    expect((await logIn({ op: { header: { typ } } })).verdict).toMatchObject(refusal('oidc_id_token_refused', 'typ'))
  })
  test('a logout token without typ', async () => {
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    expect((await logIn({ op: { claims: { events } } })).verdict).toMatchObject(refusal('oidc_id_token_refused', 'events'))
  })
  test.each(['JWT', 'jwt', 'application/jwt'])('and typ %s is an ID token’s', async (typ) => {
    expect((await logIn({ op: { header: { typ } } })).verdict.ok).toBe(true)
  })
})

describe('algorithms and form', () => {
  test.each([
    { what: 'unsigned', token: (t: string) => `${encode({ alg: 'none' })}.${t.split('.')[1]}.`, reason: 'oidc_id_token_algorithm' },
    { what: 'HS256', token: (t: string) => `${encode({ alg: 'HS256' })}.${t.split('.')[1]}.AAAA`, reason: 'oidc_id_token_algorithm' },
    { what: 'encrypted', token: () => 'a.b.c.d.e', reason: 'oidc_id_token_encrypted' },
    { what: 'no token', token: () => 'a.b', reason: 'oidc_id_token_refused' },
    { what: 'missing', token: () => undefined, reason: 'oidc_id_token_refused' },
    { what: 'no text', token: () => 7, reason: 'oidc_id_token_refused' },
  ])('$what is refused', async ({ token, reason }) => {
    const tokenAnswer = (idToken: string) => ({ access_token: 'at', token_type: 'Bearer', id_token: token(idToken) })
    expect((await logIn({ op: { tokenAnswer } })).verdict).toMatchObject(refusal(reason))
  })
  test('an algorithm that this connection does not allow is refused', async () => {
    const configuration = { idTokenAlgorithms: ['PS256'] }
    expect((await logIn({ configuration })).verdict).toMatchObject(refusal('oidc_id_token_algorithm'))
  })
  test('a shared secret cannot even be configured', () => {
    expect(() => aConnector({ configuration: { idTokenAlgorithms: ['HS256'] } })).toThrow('connection_configuration_invalid')
  })
})

describe('key rollover', () => {
  const old = aSigner('old')
  const fresh = aSigner('new')
  const fetches = (made: ReturnType<typeof aConnector>) => made.asked.filter(({ url }) => url.endsWith('/jwks')).length

  test('a token of a key that came meanwhile makes us ask once, and is believed', async () => {
    let keys = [old.jwk]
    const made = aConnector({ op: { signer: fresh, jwks: () => ({ keys }) } })
    expect((await goThrough(made, {})).verdict).toMatchObject(refusal('oidc_id_token_refused', 'unknown_key'))
    expect((await goThrough(made, { at: later(1) })).verdict).toMatchObject(refusal('oidc_id_token_refused', 'unknown_key'))
    expect(fetches(made)).toBe(2)
    keys = [old.jwk, fresh.jwk]
    const inPause = await goThrough(made, { at: later(issuerKeyLimits.refetchPauseSeconds) })
    expect(inPause.verdict).toMatchObject({ ok: false, error: { reason: 'oidc_keys_awaited', detail: { retryAfterSeconds: 1 } } })
    expect(fetches(made)).toBe(2)
    expect((await goThrough(made, { at: later(1 + issuerKeyLimits.refetchPauseSeconds) })).verdict.ok).toBe(true)
    expect(fetches(made)).toBe(3)
  })
  test('a forged logout token in the moment before delays no login', async () => {
    let keys = [old.jwk]
    const made = aConnector({ op: { signer: fresh, jwks: () => ({ keys }) } })
    expect((await goThrough(made, {})).verdict.ok).toBe(false)
    const issuerKeys = issuerKeysOf(made.fetchSafely, made.configuration as OidcConnection)
    const jwksUri = made.asked.find(({ url }) => url.endsWith('/jwks'))?.url ?? ''
    expect(await issuerKeys.readAgain(jwksUri, 'anybody', later(61))).toMatchObject({ kind: 'keys' })
    keys = [fresh.jwk]
    expect(await issuerKeys.readAgain(jwksUri, 'anybody', later(62))).toEqual({ kind: 'wait', seconds: 59 })
    expect((await goThrough(made, { at: later(62) })).verdict.ok).toBe(true)
  })
  test('while a known key signs, nobody asks, though every login makes a connector of its own', async () => {
    const made = aConnector({ op: { signer: old, jwks: () => ({ keys: [old.jwk] }) } })
    const deps = { random: systemRandom(), fetchSafely: made.fetchSafely }
    for (const seconds of [0, issuerKeyLimits.refetchPauseSeconds, 2 * issuerKeyLimits.refetchPauseSeconds]) {
      const connector = createConnector(deps, 'c2' as ConnectionId, made.configuration, new Secret('s3cret'))
      expect((await goThrough({ ...made, connector }, { at: later(seconds) })).verdict.ok).toBe(true)
    }
    expect(fetches(made)).toBe(1)
  })
  test('a new key under the old name is noticed by the signature that does not hold', async () => {
    const renewed = { ...aSigner('old'), kid: 'old' }
    let keys = [old.jwk]
    const made = aConnector({ op: { signer: renewed, jwks: () => ({ keys }) } })
    expect((await goThrough(made, {})).verdict).toMatchObject(refusal('oidc_id_token_refused', 'bad_signature'))
    keys = [renewed.jwk]
    expect((await goThrough(made, { at: later(60) })).verdict.ok).toBe(true)
  })
  test('however many tokens come that it has not signed, the issuer is asked once in a pause', async () => {
    const made = aConnector({ op: { signer: fresh, jwks: () => ({ keys: [old.jwk] }) } })
    await Promise.all(Array.from({ length: 10 }, () => goThrough(made, { at: later(120) })))
    expect(fetches(made)).toBe(1)
    for (let second = 120; second < 179; second += 10) await goThrough(made, { at: later(second) })
    expect(fetches(made)).toBe(2)
    await goThrough(made, { at: later(180) })
    expect(fetches(made)).toBe(3)
  })
  test('keys that cannot be fetched again do not outlive their time', async () => {
    let reachable = true
    const made = aConnector({ op: { signer: old, jwks: () => (reachable ? { keys: [old.jwk] } : {}) } })
    expect((await goThrough(made, {})).verdict.ok).toBe(true)
    reachable = false
    expect((await goThrough(made, { at: later(400) })).verdict.ok).toBe(true)
    expect((await goThrough(made, { at: later(issuerKeyLimits.lifetimeSeconds) })).verdict).toMatchObject(refusal('oidc_keys_unusable'))
  })
  test('whoever comes while the new keys are being fetched has them, too', async () => {
    let keys = [old.jwk]
    const made = aConnector({ op: { signer: fresh, jwks: () => ({ keys }) } })
    await goThrough(made, {})
    keys = [old.jwk, fresh.jwk]
    // Of several at once the provider of this test knows one nonce alone: what counts is that none of them lacks the key.
    const at = later(issuerKeyLimits.refetchPauseSeconds)
    const verdicts = (await Promise.all([1, 2, 3].map(() => goThrough(made, { at })))).map(({ verdict }) => JSON.stringify(verdict))
    expect(verdicts.filter((verdict) => verdict.includes('unknown_key'))).toEqual([])
    expect(fetches(made)).toBe(2)
  })
  test.each([
    { status: 0, reason: 'upstream_fetch_failed' },
    { status: 503, reason: 'upstream_fetch_failed' },
    { status: 404, reason: 'oidc_keys_unusable' },
  ])('keys that cannot be fetched, status $status: $reason', async ({ status, reason }) => {
    const graph = (url: string) => (url.endsWith('/jwks') ? { status, value: {} } : undefined)
    expect((await logIn({ op: { graph } })).verdict).toMatchObject(refusal(reason))
  })
  test('a key set without a usable key is refused as such', async () => {
    expect((await logIn({ op: { jwks: () => ({ keys: [] }) } })).verdict).toMatchObject(refusal('oidc_keys_unusable'))
  })
})

describe('an issuer that many companies share', () => {
  const login = (claims: Record<string, unknown>, configuration: Record<string, unknown> = entra, jwks?: () => unknown) =>
    logIn({ op: { issuer: template, claims, ...(jwks && { jwks }) }, configuration })

  test('is believed about the tenant that the connection names', async () => {
    expect((await login(entraOf(tenant))).verdict).toMatchObject({ ok: true, value: { issuer: entraOf(tenant).iss } })
  })
  test.each([
    { when: 'the token is of another tenant', claims: entraOf(foreignTenant), reason: 'oidc_tenant_refused' },
    { when: 'tid is ours and iss is another’s', claims: { ...entraOf(foreignTenant), tid: tenant }, reason: 'oidc_issuer_mismatch' },
    { when: 'iss is ours and tid is another’s', claims: { ...entraOf(tenant), tid: foreignTenant }, reason: 'oidc_issuer_mismatch' },
    { when: 'there is no tid', claims: { iss: entraOf(tenant).iss }, reason: 'oidc_issuer_mismatch' },
    { when: 'iss is the template itself', claims: { iss: template, tid: '{tenantid}' }, reason: 'oidc_tenant_refused' },
    { when: 'tid is a list', claims: { iss: entraOf(tenant).iss, tid: [tenant] }, reason: 'oidc_tenant_refused' },
  ])('is refused when $when', async ({ claims, reason }) => {
    expect((await login(claims)).verdict).toMatchObject(refusal(reason))
  })
  test('is believed about each of several, whose people have keys of their own', async () => {
    const several = { ...entra, tenantIds: [tenant, foreignTenant], mapping: { stableId: { attributes: ['tid', 'oid'] } } }
    for (const tid of several.tenantIds) expect((await login({ ...entraOf(tid), oid: 'o' }, several)).verdict.ok).toBe(true)
  })
  test('each key of the shared set may sign for its own issuer alone', async () => {
    const signer = aSigner('k')
    const verdictWith = async (keyIssuer: string) =>
      (
        await logIn({
          op: { issuer: template, claims: entraOf(tenant), signer, jwks: () => ({ keys: [{ ...signer.jwk, issuer: keyIssuer }] }) },
          configuration: entra,
        })
      ).verdict
    expect((await verdictWith(template)).ok).toBe(true)
    expect((await verdictWith(entraOf(tenant).iss)).ok).toBe(true)
    expect(await verdictWith(entraOf(foreignTenant).iss)).toMatchObject(refusal('oidc_id_token_refused', 'key_of_another_issuer'))
  })
  test('a tenant id of userinfo is nothing', async () => {
    const op = { claims: {}, userinfo: { tid: tenant, hd: 'globex.example' } }
    expect((await logIn({ op, configuration: { tenantIds: [tenant] } })).verdict).toMatchObject(refusal('oidc_tenant_refused'))
    expect((await logIn({ op, configuration: { hostedDomains: ['globex.example'] } })).verdict).toMatchObject(
      refusal('oidc_tenant_refused'),
    )
  })
  test.each([
    { hd: 'globex.example', ok: true },
    { hd: 'Globex.Example', ok: true },
    { hd: 'evil.example', ok: false },
    { hd: 'sub.globex.example', ok: false },
    { hd: undefined, ok: false },
  ])('Google: hd $hd is accepted=$ok', async ({ hd, ok }) => {
    const configuration = { hostedDomains: ['globex.example'] }
    expect((await logIn({ op: { claims: { hd } }, configuration })).verdict.ok).toBe(ok)
  })
  test.each([
    { what: 'a template without tenant ids', configuration: { issuer: template, discoveryUrl: entra.discoveryUrl }, member: 'tenantIds' },
    { what: 'a template without a discovery URL', configuration: { issuer: template, tenantIds: [tenant] }, member: 'discoveryUrl' },
    {
      what: 'the tenant of personal accounts',
      configuration: { ...entra, tenantIds: ['9188040D-6c67-4c5b-b112-36a304b66dad'] },
      member: 'tenantIds',
    },
    { what: 'a tenant id that is none', configuration: { ...entra, tenantIds: ['common'] }, member: 'tenantIds' },
    { what: 'Google without domains', configuration: { issuer: 'https://accounts.google.com' }, member: 'hostedDomains' },
    {
      what: 'Google for every domain',
      configuration: { issuer: 'https://accounts.google.com', hostedDomains: ['*'] },
      member: 'hostedDomains',
    },
    {
      what: 'several tenants whose people are keyed without them',
      configuration: { ...entra, tenantIds: [tenant, foreignTenant] },
      member: 'mapping',
    },
    { what: 'Graph for nobody in particular', configuration: { graph: {} }, member: 'tenantIds' },
  ])('$what cannot be configured', ({ configuration, member }) => {
    expect(() => aConnector({ configuration })).toThrow(member)
  })
})

describe('the way back', () => {
  test.each([
    { answers: entraOf(tenant).iss, ok: true },
    { answers: template, ok: true },
    { answers: entraOf(foreignTenant).iss, ok: false },
    { answers: issuer, ok: false },
  ])('of an issuer of many tenants is taken=$ok from $answers', async ({ answers, ok }) => {
    const { verdict } = await logIn({ op: { issuer: template, claims: entraOf(tenant) }, configuration: entra, answer: { iss: answers } })
    expect(verdict).toMatchObject(ok ? { ok } : refusal('oidc_issuer_mismatch'))
  })
  test('to a state that is not ours is refused by value', async () => {
    const { connector } = aConnector({})
    const upstreamId = 'x'
    for (const state of ['', 'not json', '{}', '{"verifier":"v"}'])
      expect(
        await connector.finish(
          { binding: 'query', parameters: new Map() },
          { upstreamId, state: new Secret(state), callbackUrl: `${issuer}/cb`, now },
        ),
      ).toMatchObject(refusal('login_state_invalid'))
  })
  test('is refused where the provider cannot be reached any more', async () => {
    let isGone = false
    const made = aConnector({ op: { graph: () => (isGone ? { status: 0, value: {} } : undefined) } })
    expect((await goThrough(made, {})).verdict.ok).toBe(true)
    const asking = { loginRequestId: 'l', callbackUrl: `${issuer}/cb`, relayState: 'handle', stepUpAcr: undefined, forceAuthn: false, now }
    const started = await made.connector.start(asking)
    if (!started.ok) throw new Error('refused')
    isGone = true
    const parameters = new Map(Object.entries({ code: 'code1', state: 'handle' }))
    const expected = { ...started.value, callbackUrl: `${issuer}/cb`, now: later(discoveryLifetimeSeconds) }
    expect(await made.connector.finish({ binding: 'query', parameters }, expected)).toMatchObject(refusal('upstream_fetch_failed'))
  })
})

describe('what the token must say', () => {
  const seconds = toSeconds(now)
  test.each([
    { claims: { session_expiry: seconds + 3600 }, ok: true },
    { claims: { session_expiry: seconds }, ok: false },
    { claims: { session_expiry: 'soon' }, ok: false },
  ])('session_expiry $claims.session_expiry is accepted=$ok', async ({ claims, ok }) => {
    const { verdict } = await logIn({ op: { claims } })
    expect(verdict.ok).toBe(ok)
    if (!verdict.ok) expect(verdict.error.reason).toBe('oidc_session_over')
  })
  test('userinfo neither ends the session later nor says who was proven how', async () => {
    const { verdict } = await logIn({ op: { userinfo: { session_expiry: seconds + 9e6, acrs: ['c1'], oid: 'root', groups: ['g'] } } })
    if (!verdict.ok || verdict.value.kind !== 'oidc') throw new Error('refused')
    expect([...verdict.value.claims.keys()].filter((name) => ['session_expiry', 'acrs', 'oid'].includes(name))).toEqual([])
    expect(verdict.value.claims.get('groups')).toEqual(['g'])
  })
  test.each([
    { where: 'the connection says so', configuration: { userinfo: false }, op: {} },
    { where: 'the provider has no such endpoint', configuration: {}, op: { discovery: { userinfo_endpoint: undefined } } },
  ])('userinfo is not asked where $where, and the token stands alone', async ({ configuration, op }) => {
    const spoken = { ...op, claims: { groups: ['of-the-token'] }, userinfo: { name: 'Ada' } }
    const { verdict, asked } = await logIn({ configuration, op: spoken })
    if (!verdict.ok || verdict.value.kind !== 'oidc') throw new Error('refused')
    expect(asked.map(({ url }) => new URL(url).pathname)).toEqual(['/.well-known/openid-configuration', '/token', '/jwks'])
    expect([verdict.value.claims.get('groups'), verdict.value.claims.get('name')]).toEqual([['of-the-token'], undefined])
  })
  test.each([
    { audience: 'drawbridge', azp: undefined, ok: true },
    { audience: ['drawbridge'], azp: undefined, ok: true },
    { audience: ['drawbridge', 'other'], azp: 'drawbridge', ok: true },
    { audience: ['drawbridge', 'other'], azp: undefined, ok: false },
    { audience: ['drawbridge', 'other'], azp: 'other', ok: false },
    { audience: 'other', azp: 'drawbridge', ok: false },
    { audience: [], azp: 'drawbridge', ok: false },
  ])('aud $audience with azp $azp is accepted=$ok', async ({ audience, azp, ok }) => {
    const { verdict } = await logIn({ op: { claims: { aud: audience, ...(azp !== undefined && { azp }) } } })
    expect(verdict.ok).toBe(ok)
  })
  test('an answer that names one of our issuers is ours, and any other is not', async () => {
    expect((await logIn({ answer: { iss: issuer } })).verdict.ok).toBe(true)
    expect((await logIn({ answer: { iss: `${issuer}/` } })).verdict).toMatchObject(refusal('oidc_issuer_mismatch'))
  })
})

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The guard as a resource server sees it: tokens good and bad, notices true and forged, hearing and deaf. */

import { generateKeyPair, type JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually, reasonOf } from '../test/verdicts.js'
import { createGuard, type Guard, type GuardOptions, leastDeafAfterSeconds, mostDeafAfterSeconds } from './create-guard.js'
import { tokenClaimsChange } from './notice.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
const started: Guard[] = []
const now = () => nowMs

beforeEach(async () => {
  nowMs = Date.now()
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now })
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((guard) => guard.stop()))
})

function aGuard(over: Partial<GuardOptions> = {}): Guard {
  const guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'], write: ['documents:write'] },
    scopeImplies: { 'documents:write': ['documents:read'] },
    baseScopes: ['documents:read'],
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now,
    ...over,
  })
  started.push(guard)
  return guard
}
async function aStartedGuard(over: Partial<GuardOptions> = {}): Promise<Guard> {
  const guard = aGuard(over)
  await guard.start()
  return guard
}
const seconds = () => Math.floor(nowMs / 1000)

describe('an access token', () => {
  it('is let through when everything holds, with its scopes', async () => {
    const guard = await aStartedGuard()
    const verdict = await guard.check(`Bearer ${await issuer.signToken()}`, ['documents:read'])
    expect(verdict).toMatchObject({ ok: true, value: { subject: 'ada', tenant: 'acme', clientId: 'agent', scopes: ['documents:read'] } })
  })

  test.each([
    { when: 'its issuer is unknown', claims: () => ({ iss: `${issuerUrl}/` }), reason: 'token_of_unknown_issuer' },
    { when: 'it is for another resource', claims: () => ({ aud: 'https://other.example/mcp' }), reason: 'token_for_other_resource' },
    { when: 'it is for two resources', claims: () => ({ aud: [resource, 'https://other.example'] }), reason: 'token_for_other_resource' },
    { when: 'it has just expired', claims: () => ({ exp: seconds() }), reason: 'token_expired' },
    { when: 'it comes from the future', claims: () => ({ iat: seconds() + 60 }), reason: 'token_from_the_future' },
    { when: 'it would outlive the barriers', claims: () => ({ exp: seconds() + 90_000 }), reason: 'token_lives_too_long' },
    { when: 'its tenant is another', claims: () => ({ tenant: 'globex' }), reason: 'token_of_other_tenant' },
    { when: 'it has no expiry', claims: () => ({ exp: undefined }), reason: 'token_malformed' },
    { when: 'its epochs are no epochs', claims: () => ({ epochs: '1.1.1' }), reason: 'token_epochs_malformed' },
  ])('is refused when $when', async ({ claims, reason }) => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken(claims() as JWTPayload))).toBe(reason)
  })

  it('is refused when it is signed by somebody else under the same key id', async () => {
    const guard = await aStartedGuard()
    const { privateKey } = await generateKeyPair('ES256')
    expect(await reasonOf(guard, await issuer.signToken({}, { key: privateKey }))).toBe('token_signature_wrong')
  })

  it('is refused when it is another kind of message of the same issuer', async () => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken({}, { typ: 'JWT' }))).toBe('token_of_wrong_type')
    expect(await reasonOf(guard, await issuer.signToken({}, { typ: 'secevent+jwt' }))).toBe('token_of_wrong_type')
  })

  it('is refused when a key for notices signed it, though every claim is true', async () => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken({}, { key: issuer.noticeKey.privateKey, kid: issuer.noticeKey.kid }))).toBe(
      'token_signature_wrong',
    )
  })

  it('is refused when it names no key, even where only one could have signed it', async () => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken({}, { kid: undefined }))).toBe('token_malformed')
  })

  it('is refused unsigned', async () => {
    const guard = await aStartedGuard()
    const [, claims] = (await issuer.signToken()).split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
    expect(await reasonOf(guard, `${header}.${claims}.`)).not.toBe('let through')
  })

  it('needs every scope, and a scope that implies it will do', async () => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken(), ['documents:write'])).toBe('scope_insufficient')
    expect(await reasonOf(guard, await issuer.signToken({ scope: 'documents:write' }), ['documents:read'])).toBe('let through')
  })
})

describe('a token that was exchanged', () => {
  const parents = [
    { gid: 'between', client_id: 'gateway', epochs: '1.4.1.1.1' },
    { gid: 'hers', client_id: 'first', epochs: '1.1.1.1.1' },
  ]
  const exchanged = () => issuer.signToken({ gid: 'own', client_id: 'files', act: { sub: 'files', act: { sub: 'gateway' } }, parents })

  it('says who acts, the present one first', async () => {
    const guard = await aStartedGuard()
    const verdict = await guard.check(`Bearer ${await exchanged()}`, ['documents:read'])
    expect(verdict).toMatchObject({ ok: true, value: { subject: 'ada', clientId: 'files', actors: ['files', 'gateway'] } })
  })

  test.each([
    { what: 'the grant that she gave', target: 'grant', targetId: 'hers', epoch: 2 },
    { what: 'the client that she gave it to', target: 'client', targetId: 'first', epoch: 2 },
    { what: 'the grant between', target: 'grant', targetId: 'between', epoch: 2 },
    { what: 'who acted before', target: 'client', targetId: 'gateway', epoch: 5 },
    { what: 'who acts', target: 'client', targetId: 'files', epoch: 2 },
    { what: 'its own grant', target: 'grant', targetId: 'own', epoch: 2 },
    { what: 'the person', target: 'subject', targetId: 'ada', epoch: 2 },
  ])('ends with a notice on $what', async ({ target, targetId, epoch }) => {
    const guard = await aStartedGuard()
    const token = await exchanged()
    const told = async (of: number) => {
      const notice = await issuer.signNotice({ target, targetId, epoch: of })
      issuer.push({ [notice.jti]: notice.token })
      await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
    }
    await told(epoch - 1)
    expect(await reasonOf(guard, token)).toBe('let through')
    await told(epoch)
    expect(await reasonOf(guard, token)).toBe('token_below_barrier')
  })

  const tooMany = Array.from({ length: 11 }, () => parents[0])
  test.each([
    { what: 'who acts without a name', claims: { act: {} }, reason: 'token_malformed' },
    { what: 'a text for who acts', claims: { act: 'files' }, reason: 'token_malformed' },
    { what: 'one within who has no name', claims: { act: { sub: 'files', act: { sub: '' } } }, reason: 'token_malformed' },
    { what: 'no list of what it comes from', claims: { parents: {} }, reason: 'token_malformed' },
    { what: 'too many that it comes from', claims: { parents: tooMany }, reason: 'token_malformed' },
    { what: 'one without epochs', claims: { parents: [{ gid: 'hers', client_id: 'first' }] }, reason: 'token_epochs_malformed' },
    { what: 'one that is null', claims: { parents: [null] }, reason: 'token_epochs_malformed' },
  ])('is refused with $what', async ({ claims, reason }) => {
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken(claims as JWTPayload))).toBe(reason)
  })
})

describe('a challenge', () => {
  it('points to the metadata and names the base scopes, without an error when no token was sent (RFC 6750 §3.1)', async () => {
    const verdict = await aGuard().check(undefined)
    expect(verdict).toMatchObject({ ok: false, error: { status: 401 } })
    const header = verdict.ok ? '' : verdict.error.headers['WWW-Authenticate']
    expect(header).toBe('Bearer scope="documents:read", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"')
  })

  it('names all scopes of the operation when one is missing', async () => {
    const guard = await aStartedGuard()
    const verdict = await guard.check(`Bearer ${await issuer.signToken()}`, ['documents:read', 'documents:write'])
    expect(verdict).toMatchObject({ ok: false, error: { status: 403 } })
    const header = verdict.ok ? '' : verdict.error.headers['WWW-Authenticate']
    expect(header).toContain('error="insufficient_scope"')
    expect(header).toContain('scope="documents:read documents:write"')
  })
})

describe('hearing', () => {
  it('serves nothing before the first snapshot', async () => {
    const guard = aGuard()
    const token = await issuer.signToken()
    expect(await reasonOf(guard, token)).toBe('not_ready')
    await guard.start()
    expect(await reasonOf(guard, token)).toBe('let through')
  })

  it('refuses from the snapshot what was revoked before it started', async () => {
    issuer.snapshot = { acme: { subject: { 2: ['ada'] } } }
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken())).toBe('token_below_barrier')
    expect(await reasonOf(guard, await issuer.signToken({ epochs: '1.1.1.2.1' }))).toBe('let through')
  })

  test.each([
    { target: 'subject', targetId: 'ada', epochs: '1.1.1.2.1' },
    { target: 'grant', targetId: 'grant-1', epochs: '1.1.1.1.2' },
    { target: 'client', targetId: 'agent', epochs: '1.2.1.1.1' },
    { target: 'tenant', targetId: '3f1c', epochs: '2.1.1.1.1' },
    { target: 'connection', targetId: 'saml-1', epochs: '1.1.2.1.1' },
  ])('a notice on the $target kills the token, acknowledges, and spares what was made later', async ({ target, targetId, epochs }) => {
    const guard = await aStartedGuard()
    const token = await issuer.signToken()
    expect(await reasonOf(guard, token)).toBe('let through')
    const notice = await issuer.signNotice({ target, targetId, epoch: 2 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(async () => (await reasonOf(guard, token)) === 'token_below_barrier')
    expect(await reasonOf(guard, await issuer.signToken({ epochs }))).toBe('let through')
    await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
  })

  it('a connection notice spares the tokens that say they came through another connection', async () => {
    const guard = await aStartedGuard()
    const notice = await issuer.signNotice({ target: 'connection', targetId: 'saml-1', epoch: 2 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(async () => (await reasonOf(guard, await issuer.signToken({ connection: 'saml-1' }))) === 'token_below_barrier')
    expect(await reasonOf(guard, await issuer.signToken({ connection: 'oidc-1' }))).toBe('let through')
  })

  it('a notice that a grant lost scopes ends its older tokens, and neither its newer ones nor any other', async () => {
    const guard = await aStartedGuard()
    const [wide, other] = [await issuer.signToken({ gid: 'g-1' }), await issuer.signToken({ gid: 'g-2' })]
    const events = { [tokenClaimsChange]: { initiating_entity: 'policy', claims: { scope: 'documents:read' } } }
    const notice = await issuer.signNotice({ target: 'grant', targetId: 'g-1', epoch: 2 }, { claims: { events } })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(async () => (await reasonOf(guard, wide)) === 'token_below_barrier')
    expect(await reasonOf(guard, await issuer.signToken({ gid: 'g-1', epochs: '1.1.1.1.2' }))).toBe('let through')
    expect(await reasonOf(guard, other)).toBe('let through')
  })

  it('a forged notice takes nothing away, is reported, and makes the guard ask for a new snapshot', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const guard = await aStartedGuard()
    const told = { target: 'subject', targetId: 'ada', epoch: 9 }
    const forged = [
      await issuer.signNotice(told, { key: privateKey }),
      await issuer.signNotice(told, { typ: 'at+jwt' }),
      await issuer.signNotice(told, { claims: { aud: 'https://other.example/mcp' } }),
      await issuer.signNotice(told, { claims: { iss: 'https://evil.example/t/acme' } }),
      await issuer.signNotice(told, { claims: { events: { 'https://example.com/other': {} } } }),
      await issuer.signNotice({ ...told, tenant: 'globex' }),
      await issuer.signNotice({ ...told, epoch: -1 }),
      await issuer.signNotice(told, { claims: { iat: seconds() + 3600 } }),
    ]
    issuer.push(Object.fromEntries(forged.map(({ jti, token }) => [jti, token])))
    await eventually(() => issuer.opened.length === 2)
    const reported = issuer.polls.flatMap((poll) => Object.keys(poll.setErrs))
    expect(reported.sort()).toEqual(forged.map(({ jti }) => jti).sort())
    expect(issuer.polls.flatMap((poll) => poll.ack)).toEqual([])
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  })

  it('a notice signed with a key for tokens takes nothing away', async () => {
    await aStartedGuard()
    const told = { target: 'subject', targetId: 'ada', epoch: 9 }
    const byTokenKey = await issuer.signNotice(told, { key: issuer.tokenKey.privateKey, kid: issuer.tokenKey.kid })
    const byNobody = await issuer.signNotice(told, { kid: undefined })
    issuer.push({ [byTokenKey.jti]: byTokenKey.token, [byNobody.jti]: byNobody.token })
    await eventually(() => issuer.opened.length === 2)
    expect(issuer.polls.flatMap((poll) => Object.values(poll.setErrs))).toEqual([
      expect.objectContaining({ err: 'invalid_key' }),
      expect.objectContaining({ err: 'invalid_key' }),
    ])
  })

  it('a true notice under another id than it was sent as is refused', async () => {
    await aStartedGuard()
    const notice = await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 2 })
    issuer.push({ other: notice.token })
    await eventually(() => issuer.polls.some((poll) => 'other' in poll.setErrs))
  })
})

describe('an issuer that owes news when the stream is opened', () => {
  it('has not been heard by its snapshot: what that holds counts, and nothing is believed until a poll says that all was told', async () => {
    issuer.owes = true
    issuer.snapshot = { acme: { subject: { 9: ['eve'] } } }
    const guard = await aStartedGuard()
    expect(guard.isReady()).toBe(true)
    const [ada, eve] = [await issuer.signToken(), await issuer.signToken({ sub: 'eve' })]
    expect(await reasonOf(guard, ada)).toBe('deaf')
    issuer.owes = undefined
    issuer.push({})
    await eventually(async () => (await reasonOf(guard, ada)) === 'let through')
    expect(await reasonOf(guard, eve)).not.toBe('let through')
  })

  it('is asked about each token, where that is chosen', async () => {
    issuer.owes = true
    issuer.isActive = true
    const guard = await aStartedGuard({ onDeaf: 'introspect' })
    const token = await issuer.signToken()
    expect(await reasonOf(guard, token)).toBe('let through')
    issuer.isActive = false
    expect(await reasonOf(guard, await issuer.signToken())).not.toBe('let through')
  })

  it('of an earlier version that does not say so is heard by its snapshot, as before', async () => {
    issuer.owes = true
    issuer.isOld = true
    expect(await reasonOf(await aStartedGuard(), await issuer.signToken())).toBe('let through')
  })
})

describe('deafness', () => {
  it('refuses when deaf for longer than the limit', async () => {
    const guard = await aStartedGuard()
    issuer.isDown = true
    nowMs += 59_000
    const token = await issuer.signToken()
    issuer.isDown = false
    expect(await reasonOf(guard, token)).toBe('let through')
    nowMs += 1000
    expect(await reasonOf(guard, token)).toBe('deaf')
  })

  it('counts from the moment in which the answer came, however long its notices took to be verified', async () => {
    const guard = await aStartedGuard({
      fetch: async (input, init) => {
        if (input === `${issuerUrl}/ssf/jwks`) nowMs += 40_000
        return issuer.fetch(input, init)
      },
    })
    const token = await issuer.signToken()
    const notice = await issuer.signNotice({ target: 'subject', targetId: 'clark', epoch: 2 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
    nowMs += 19_000
    expect(await reasonOf(guard, token)).toBe('let through')
    nowMs += 1000
    expect(await reasonOf(guard, token)).toBe('deaf')
  })

  test.each([leastDeafAfterSeconds - 1, mostDeafAfterSeconds + 1, 3600, Number.NaN])(
    'begins after no %s seconds: longer, and the issuer would call dead what is believed here',
    (deafAfterSeconds) => expect(() => aGuard({ deafAfterSeconds })).toThrow('deafAfterSeconds must be'),
  )

  it('asks the issuer instead, where its owner chose so', async () => {
    const guard = await aStartedGuard({ onDeaf: 'introspect' })
    nowMs += 61_000
    const token = await issuer.signToken({ scope: 'documents:read documents:write' })
    expect(await reasonOf(guard, token)).toBe('let through')
    expect(await reasonOf(guard, token, ['documents:write'])).toBe('scope_insufficient')
    issuer.isActive = false
    expect(await reasonOf(guard, token)).toBe('token_inactive')
    issuer.isDown = true
    expect(await reasonOf(guard, token)).toBe('issuer_unreachable')
  })
})

describe('who is behind a token', () => {
  it('is asked of its issuer, which tells what it likes of the claims that are a person’s', async () => {
    const guard = await aStartedGuard()
    issuer.person = { name: 'Ada', email: 'ada@acme.example', email_verified: true, locale: 7, admin: true }
    const token = await issuer.signToken()
    const checked = await guard.check(`Bearer ${token}`)
    if (!checked.ok) throw new Error(checked.error.reason)
    const person = { name: 'Ada', email: 'ada@acme.example', email_verified: true }
    expect(await guard.personOf(token, checked.value)).toEqual({ ok: true, value: person })
    issuer.isActive = false
    expect(await guard.personOf(token, checked.value)).toEqual({ ok: false, error: 'token_inactive' })
    issuer.isDown = true
    expect(await guard.personOf(token, checked.value)).toEqual({ ok: false, error: 'issuer_unreachable' })
    expect(await guard.personOf(token, { ...checked.value, issuer: 'https://other.example' })).toMatchObject({ ok: false })
  })
})

it('asks for a token where none was sent', async () => {
  expect(await aGuard().check(undefined)).toMatchObject({ ok: false, error: { reason: 'token_missing', status: 401 } })
})

describe('configuration', () => {
  test.each([
    { when: 'an issuer is not on https', issuers: [{ issuer: 'http://login.example/t/acme', credential: { id: 'i', secret: 's' } }] },
    { when: 'the tenant cannot be known', issuers: [{ issuer: 'https://login.example', credential: { id: 'i', secret: 's' } }] },
    { when: 'no issuer is named', issuers: [] },
  ])('is refused at start when $when', ({ issuers }) => {
    expect(() => aGuard({ issuers })).toThrow(/^guard: /)
  })
})

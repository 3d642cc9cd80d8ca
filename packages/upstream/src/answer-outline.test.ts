/** A trace holds nothing usable: whatever is secret, or could be sent again, is in no outline. security.md §17 */
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { type AnswerOutline, clip, differences, outlineLimits, type Shown } from './answer-outline.js'
import { parseConnection, type SamlConnection } from './connection-configuration.js'
import { aSigner, logIn } from './oidc/fixtures/a-provider.js'
import { samlConnector } from './saml/connector.js'
import { aFixtureKey } from './saml/fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './saml/fixtures/a-saml-response.js'

const idp = aFixtureKey()
const stranger = aFixtureKey()
const { acsUrl, requestId, now, idpEntityId, spEntityId } = fixtureParties

function connection(change: object = {}): SamlConnection {
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.example/sso', certificates: [idp.certificate], ...change })
  if (!parsed.ok) throw new Error(parsed.error.reason)
  return parsed.value as SamlConnection
}

async function refusedSaml(xml: string, shown: Shown = 'structure') {
  const connector = samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, connection())
  const state = new Secret(JSON.stringify({ requestId, startedAt: now, fresh: false }))
  const message = { binding: 'post', parameters: new Map([['SAMLResponse', encodeMessage(xml)]]) } as const
  const verdict = await connector.finish(message, { upstreamId: requestId, state, callbackUrl: acsUrl, now })
  if (verdict.ok) throw new Error('believed')
  return { refusal: verdict.error, outline: verdict.error.outline?.(shown) }
}

const signedResponse = (parts: Parameters<typeof assertionXml>[0] = {}, key = idp) =>
  signXml(responseXml({ assertions: assertionXml(parts) }), '_response1', key)
const otherAudience = { conditions: '<saml:AudienceRestriction><saml:Audience>urn:another</saml:Audience></saml:AudienceRestriction>' }

describe('a SAML response that was refused', () => {
  it('is told by structure: what it was made for, times, algorithms, names and counts', async () => {
    const { refusal, outline } = await refusedSaml(signedResponse(otherAudience))
    expect(refusal).toMatchObject({ reason: 'saml_audience_wrong', proven: true })
    expect(outline).toMatchObject({
      kind: 'saml',
      proven: true,
      issuedSecondsAgo: 10,
      response: { status: ['Success'], inResponseTo: 'ours' },
      encrypted: false,
      assertion: {
        nameId: { format: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress', value: 'a… (16 characters)' },
        confirmations: [{ inResponseTo: 'ours' }],
        classRef: 'https://refeds.org/profile/mfa',
      },
      claims: [
        { name: 'groups', values: 2 },
        { name: 'department', values: 0 },
      ],
    })
    expect(outline?.kind === 'saml' && outline.algorithms).toContain('SignatureMethod rsa-sha256')
    expect(outline && differences(outline)).toEqual([{ what: 'audience', expected: spEntityId, received: ['urn:another'] }])
  })

  it('holds nothing that could be used, in either way of showing it', async () => {
    const xml = signedResponse(otherAudience)
    const secrets = [
      requestId,
      '_response1',
      '_assertion1',
      '_s1',
      ...[...xml.matchAll(/<ds:(?:SignatureValue|DigestValue)>([^<]+)</g)].map((found) => found[1] as string),
    ]
    expect(secrets.length).toBeGreaterThan(5)
    for (const shown of ['structure', 'values'] as const) {
      const text = JSON.stringify((await refusedSaml(xml, shown)).outline)
      for (const secret of secrets) expect([shown, secret, text.includes(secret)]).toEqual([shown, secret, false])
    }
  })

  it('shows values only to whoever asks for them, and only of what the IdP was proven to say', async () => {
    const proven = await refusedSaml(signedResponse(otherAudience), 'values')
    expect(proven.outline).toMatchObject({
      claims: [{ name: 'groups', values: ['engineering', 'staff'] }, {}],
      assertion: { nameId: { value: 'ada@acme.example' } },
    })
    const forged = await refusedSaml(signedResponse({}, stranger), 'values')
    expect(forged.refusal).toMatchObject({ reason: 'saml_signature_invalid' })
    expect(forged.refusal.proven).toBeUndefined()
    expect(forged.outline).toMatchObject({
      proven: false,
      claims: [{ name: 'groups', values: 2 }, {}],
      assertion: { nameId: { value: 'a… (16 characters)' } },
    })
    for (const { outline } of [await refusedSaml(signedResponse(otherAudience)), forged])
      expect(JSON.stringify(outline)).not.toContain('ada@acme.example')
  })

  it('says how far the clock is off', async () => {
    const ahead = `Version="2.0" IssueInstant="${new Date(now + 400_000).toISOString()}"`
    const { refusal, outline } = await refusedSaml(signedResponse({ attributes: ahead }))
    expect(refusal.reason).toBe('saml_issue_instant_invalid')
    expect(outline?.issuedSecondsAgo).toBe(-400)
  })

  test('one that is no XML has no outline', async () => {
    expect((await refusedSaml('<x')).outline).toBeUndefined()
  })

  it('is bounded, whatever a stranger writes', async () => {
    const attributes = Array.from(
      { length: 400 },
      (_, n) => `<saml:Attribute Name="a${n}${'x'.repeat(100)}"><saml:AttributeValue>v</saml:AttributeValue></saml:Attribute>`,
    )
    const { outline } = await refusedSaml(
      signedResponse({ attributeStatement: `<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement>` }, stranger),
    )
    expect(outline?.claims).toHaveLength(outlineLimits.claims)
    expect(JSON.stringify(outline).length).toBeLessThan(30_000)
    expect(clip('x'.repeat(1000))).toHaveLength(outlineLimits.textLength + 1)
    expect(clip('a\u001b[31m\u202eb')).toBe('a\uFFFD[31m\uFFFDb')
  })
})

it('never throws, whatever is made of a message, and never shows a value that was not proven', async () => {
  const genuine = signedResponse(otherAudience, stranger)
  await fc.assert(
    fc.asyncProperty(fc.nat(genuine.length - 1), fc.string({ unit: 'binary', maxLength: 8 }), fc.nat(40), async (at, put, cut) => {
      const { outline } = await refusedSaml(genuine.slice(0, at) + put + genuine.slice(at + cut), 'values')
      expect(outline?.proven ?? false).toBe(false)
      expect(JSON.stringify(outline ?? null)).not.toContain('ada@acme.example')
    }),
    { numRuns: 150 },
  )
})

describe('an ID token that was refused', () => {
  const refused = async (login: Parameters<typeof logIn>[0], shown: Shown = 'structure') => {
    const { verdict } = await logIn(login)
    if (verdict.ok) throw new Error('believed')
    const outline: AnswerOutline | undefined = 'outline' in verdict.error ? verdict.error.outline?.(shown) : undefined
    return { refusal: verdict.error, outline }
  }
  it('is told by structure, and its words are the IdP’s where its key signed', async () => {
    const { refusal, outline } = await refused({
      op: { claims: { aud: 'another', groups: ['a', 'b'], email: 'ada@globex.example', jti: 'j-1', sid: 's-1' } },
    })
    expect(refusal).toMatchObject({ reason: 'oidc_id_token_refused', detail: { rule: 'aud' }, proven: true })
    expect(outline).toMatchObject({
      kind: 'oidc',
      proven: true,
      algorithm: 'ES256',
      nonce: 'ours',
      sub: 'a… (3 characters)',
      issuedSecondsAgo: 0,
    })
    expect(outline && differences(outline)).toEqual([{ what: 'audience', expected: 'drawbridge', received: ['another'] }])
    expect(outline?.claims).toEqual([
      { name: 'groups', values: 2 },
      { name: 'email', values: 1 },
    ])
  })
  it('holds no token, nonce or session id', async () => {
    const { verdict, url } = await logIn({ op: { claims: { aud: 'another', jti: 'j-1', sid: 's-1', at_hash: 'h-1' } } })
    const outline = !verdict.ok && 'outline' in verdict.error ? verdict.error.outline?.('values') : undefined
    const text = JSON.stringify(outline)
    expect(outline).toBeDefined()
    for (const secret of [url.searchParams.get('nonce') ?? 'none', 'j-1', 's-1', 'h-1', 'eyJ', 'code1', 'handle'])
      expect([secret, text.includes(secret)]).toEqual([secret, false])
  })
  it('shows no value of a token that a stranger signed', async () => {
    const login = { op: { signer: aSigner('k2'), jwks: () => ({ keys: [aSigner('k1').jwk] }), claims: { email: 'ada@globex.example' } } }
    const { refusal, outline } = await refused(login, 'values')
    expect(refusal).toMatchObject({ reason: 'oidc_id_token_refused', detail: { rule: 'unknown_key' } })
    expect(outline).toMatchObject({ proven: false, sub: 'a… (3 characters)', claims: [{ name: 'email', values: 1 }] })
  })
  it('a code that the IdP refused leaves the words of the catalogue alone', async () => {
    expect(await refused({ op: { tokenError: { error: 'invalid_grant' } } })).toMatchObject({
      refusal: { reason: 'oidc_code_refused' },
      outline: undefined,
    })
  })
})

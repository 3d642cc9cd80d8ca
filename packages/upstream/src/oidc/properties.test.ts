/**
 * Whatever a provider, or somebody in its place, answers: nothing is thrown, the same answer has the same verdict, and a token with a bit
 * flipped names nobody else.
 */
import { normalize } from '@drawbridge/core/identity/normalize'
import { toSeconds } from '@drawbridge/core/instant'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { upstreamErrors } from '../error.js'
import { aDiscoveryDocument, aSigner, issuer, type Login, logIn, now } from './fixtures/a-provider.js'

const rounds = { numRuns: 60 }
const json = fc.jsonValue({ maxDepth: 3 })
const jsonObject = fc.dictionary(fc.string({ maxLength: 12 }), json, { maxKeys: 8 })
const signer = aSigner('k1', 'RS256')
const now60 = toSeconds(now)

/** The reason, or who it is with everything that is believed of her. */
async function told(login: Login): Promise<string> {
  const { verdict, configuration } = await logIn(login)
  if (!verdict.ok) {
    expect(verdict.error.reason in upstreamErrors).toBe(true)
    return verdict.error.reason
  }
  const identity = normalize(verdict.value, configuration.mapping)
  return identity.ok ? JSON.stringify({ ...identity.value, claims: [...identity.value.claims] }) : identity.error.reason
}
const same = async (login: Login): Promise<string> => {
  const first = await told(login)
  expect(await told(login)).toBe(first)
  return first
}
const everybody = (make: (value: unknown) => Login, values: fc.Arbitrary<unknown> = json) =>
  fc.assert(
    fc.asyncProperty(values, async (value) => void (await same(make(value)))),
    rounds,
  )

describe('never throws, and answers the same twice', () => {
  test('whatever the token endpoint answers', () => everybody((value) => ({ op: { signer, tokenAnswer: () => value } })))
  test('whatever stands in the place of the ID token', () =>
    everybody(
      (value) => ({ op: { signer, tokenAnswer: () => ({ access_token: 'at', token_type: 'Bearer', expires_in: 60, id_token: value }) } }),
      fc.oneof(
        fc.string(),
        json,
        fc.string().map((text) => `${text}.${text}.${text}`),
      ),
    ))
  test('whatever the ID token claims', () =>
    everybody((value) => ({ op: { signer, claims: value as Record<string, unknown> } }), jsonObject))
  test('whatever its header says', () =>
    everybody(
      (value) => ({ op: { signer, header: value as Record<string, string> } }),
      fc.dictionary(fc.constantFrom('alg', 'kid', 'typ', 'crit', 'jku', 'x5u', 'b64', 'jwk'), json as fc.Arbitrary<string>),
    ))
  test('whatever the discovery document says', () =>
    everybody(
      (value) => ({ op: { signer, discovery: value as Record<string, unknown> } }),
      fc.dictionary(fc.constantFrom(...Object.keys(aDiscoveryDocument(issuer)), 'x'), json),
    ))
  test('whatever the key set holds', () =>
    everybody(
      (value) => ({ op: { signer, jwks: () => value } }),
      fc.oneof(json, fc.record({ keys: fc.array(fc.oneof(json, jsonObject)) })),
    ))
  test('whatever userinfo says', () => everybody((value) => ({ op: { signer, userinfo: value as Record<string, unknown> } }), jsonObject))
  test('whatever Graph answers', () =>
    everybody(
      (value) => {
        const [status, answer] = value as [number, unknown]
        const overage = { hasgroups: true, oid: 'aaaaaaaa-2222-4333-8444-555555555555', tid: '11111111-2222-4333-8444-555555555555' }
        const graph = { groups: 'id', securityGroupsOnly: false, url: 'https://graph.example', tokenUrl: 'https://graph.example/token' }
        const answered = (url: string) => (url.startsWith('https://graph.example') ? { status, value: answer } : undefined)
        return { op: { signer, claims: overage, graph: answered }, configuration: { graph, tenantIds: [overage.tid] } }
      },
      fc.tuple(
        fc.constantFrom(0, 200, 200, 400, 429, 500),
        fc.oneof(
          json,
          jsonObject,
          fc.record({ access_token: fc.string(), value: fc.array(jsonObject), '@odata.nextLink': fc.string() }, { requiredKeys: [] }),
        ),
      ),
    ))
  test('whatever comes back through the browser', () =>
    everybody(
      (value) => ({ op: { signer }, answer: value as Record<string, string> }),
      fc.dictionary(fc.constantFrom('code', 'state', 'iss', 'error', 'error_description'), fc.string()),
    ))
})

describe('a flipped bit', () => {
  const claims = { iat: now60, exp: now60 + 300, email: 'ada@globex.example', groups: ['staff'] }
  const answering = (change: (token: string) => string): Login => ({
    op: { signer, claims, tokenAnswer: (token) => ({ access_token: 'at', token_type: 'Bearer', expires_in: 60, id_token: change(token) }) },
  })
  test('anywhere in an ID token is refused, or is one that base64url does not read', async () => {
    const honest = await told(answering((token) => token))
    expect(honest).toContain('ada@globex.example')
    const property = fc.asyncProperty(fc.nat(), fc.nat(6), async (place, bit) => {
      let isLast = false
      // Each login is signed anew, and of the last character base64url reads two bits: which flips are read depends on the signature.
      const verdict = await told(
        answering((token) => {
          const at = place % token.length
          isLast = at === token.length - 1
          return token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ (1 << bit)) + token.slice(at + 1)
        }),
      )
      expect(verdict in upstreamErrors || (isLast && verdict === honest)).toBe(true)
    })
    await fc.assert(property, { numRuns: 150 })
  })
})

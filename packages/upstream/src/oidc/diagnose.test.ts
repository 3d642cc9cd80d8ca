import { err, ok } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diagnoseProvider } from './diagnose.js'
import { oidcFindings } from './findings.js'
import { aDiscoveryDocument, aSigner, issuer } from './fixtures/a-provider.js'

const signer = aSigner('k1')
type Given = { document?: unknown; status?: number; raw?: string; jwks?: unknown }
const fetchOf =
  ({ document, status = 200, raw, jwks = { keys: [signer.jwk] } }: Given): FetchSafely =>
  async (url) => {
    if (status === 0) return err({ reason: 'address_refused' })
    const body = url.endsWith('/jwks') ? JSON.stringify(jwks) : (raw ?? JSON.stringify(document))
    return ok({ status: url.endsWith('/jwks') ? 200 : status, headers: {}, body: Buffer.from(body) })
  }
const good = { ...aDiscoveryDocument(issuer), code_challenge_methods_supported: ['S256'] }
const codesOf = async (given: Given, configuration: Record<string, unknown> = {}, typed = issuer) =>
  (await diagnoseProvider(fetchOf(given), { issuer: typed, configuration })).findings.map(({ code }) => code)
const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([each]) => each !== name))

test('nothing is found where nothing is wrong, and a copied discovery address is understood', async () => {
  expect(await codesOf({ document: good })).toEqual([])
  expect(await codesOf({ document: good }, {}, `${issuer}/.well-known/openid-configuration`)).toEqual([])
})

describe('is told in plain words', () => {
  test.each([
    { what: 'discovery_unreachable', given: { status: 0 } },
    { what: 'discovery_unreachable', given: { document: good }, typed: 'http://idp.globex.example' },
    { what: 'discovery_unreachable', given: { document: good }, typed: 'globex' },
    { what: 'discovery_absent', given: { status: 404, document: {} } },
    { what: 'discovery_not_json', given: { raw: '<html>Sign in</html>' } },
    { what: 'discovery_malformed', given: { document: { issuer: 7 } } },
    { what: 'issuer_mismatch', given: { document: { ...good, issuer: 'https://other.example' } } },
    { what: 'issuer_slash', given: { document: { ...good, issuer: `${issuer}/` } } },
    { what: 'issuer_template', given: { document: { ...good, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' } } },
    {
      what: 'tenant_unknown',
      given: { document: { ...good, issuer: 'https://accounts.google.com' } },
      typed: 'https://accounts.google.com',
    },
    { what: 'configuration_invalid', given: { document: good }, configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'mfa' } },
    { what: 'authorization_endpoint_missing', given: { document: without('authorization_endpoint') } },
    { what: 'authorization_endpoint_missing', given: { document: { ...good, authorization_endpoint: 'javascript:alert(1)' } } },
    { what: 'token_endpoint_missing', given: { document: without('token_endpoint') } },
    { what: 'jwks_uri_missing', given: { document: without('jwks_uri') } },
    { what: 'code_flow_unsupported', given: { document: { ...good, response_types_supported: ['id_token'] } } },
    { what: 'keys_unusable', given: { document: good, jwks: { keys: [] } } },
    { what: 'algorithms_unsupported', given: { document: { ...good, id_token_signing_alg_values_supported: ['HS256'] } } },
    {
      what: 'client_authentication_unsupported',
      given: { document: { ...good, token_endpoint_auth_methods_supported: ['client_secret_post'] } },
      configuration: { clientAuthentication: 'client_secret_basic' },
    },
    { what: 'client_authentication_unsupported', given: { document: good }, configuration: { clientAuthentication: 'private_key_jwt' } },
    {
      what: 'assertion_algorithm_unsupported',
      given: {
        document: {
          ...good,
          token_endpoint_auth_methods_supported: ['private_key_jwt'],
          token_endpoint_auth_signing_alg_values_supported: ['HS256'],
        },
      },
      configuration: { clientAuthentication: 'private_key_jwt' },
    },
    { what: 'scopes_unsupported', given: { document: { ...good, scopes_supported: ['openid'] } } },
    { what: 'step_up_unsupported', given: { document: { ...good, acr_values_supported: ['0', '1'] } } },
    { what: 'backchannel_logout_offered', given: { document: { ...good, backchannel_logout_supported: true } } },
    { what: 'backchannel_logout_sessionless', given: { document: { ...good, backchannel_logout_supported: true } } },
    { what: 'pkce_unlisted', given: { document: without('code_challenge_methods_supported') } },
  ])('$what', async ({ what, given, configuration = {}, typed = issuer }) => {
    const codes = await codesOf(given, configuration, typed)
    expect(codes).toContain(what)
    const { severity, cause, remedy } = oidcFindings[what as keyof typeof oidcFindings]
    const seen = await diagnoseProvider(fetchOf(given), { issuer: typed, configuration })
    if (severity === 'error') expect(seen.usable).toBe(false)
    expect([cause, remedy].every((text) => text.endsWith('.') || text.endsWith(')'))).toBe(true)
  })
  test('the tenants of a template once they are listed', async () => {
    const document = { ...good, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' }
    const typed = 'https://login.microsoftonline.com/organizations/v2.0'
    const seen = await diagnoseProvider(fetchOf({ document }), {
      issuer: typed,
      configuration: { tenantIds: ['11111111-2222-4333-8444-555555555555'], clientAuthentication: 'client_secret_basic' },
    })
    expect(seen).toMatchObject({ usable: true, vendor: 'entra', issuer: document.issuer })
  })
})

test('logout that names sessions is offered, and nothing is said of what the document does not say rightly', async () => {
  const offered = { backchannel_logout_supported: true, backchannel_logout_session_supported: true }
  expect(await codesOf({ document: { ...good, ...offered } })).toEqual(['backchannel_logout_offered'])
  expect(await codesOf({ document: { ...good, backchannel_logout_supported: 'yes', frontchannel_logout_supported: 7 } })).toEqual([])
})

test('whatever a server answers becomes a diagnosis', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.string(), async (document, typed) => {
      const seen = await diagnoseProvider(fetchOf({ document }), { issuer: typed, configuration: {} })
      expect(typeof seen.usable).toBe('boolean')
    }),
    { numRuns: 60 },
  )
})

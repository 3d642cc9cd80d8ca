/** What the token endpoint of a provider is shown, by each way in which a client can prove itself there. */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { toSeconds } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import { describe, expect, test } from 'vitest'
import type { ClientKey } from './client-authentication.js'
import { clientAssertionSeconds } from './client-authentication.js'
import { aSigner, issuer, type Login, logIn, now } from './fixtures/a-provider.js'
import { oidcVendors } from './vendors.js'

async function shown(login: Login) {
  const { asked, verdict } = await logIn(login)
  expect(verdict.ok).toBe(true)
  const { body = '', headers = {} } = asked.find(({ url }) => url.endsWith('/token')) ?? {}
  return { form: Object.fromEntries(new URLSearchParams(body)), authorization: headers['authorization'] }
}
const proofs = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
const proofsIn = (form: Readonly<Record<string, string>>) => Object.keys(form).filter((name) => proofs.includes(name))
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

describe('a secret', () => {
  test.each([{}, { clientAuthentication: 'client_secret_basic' }])('goes in the header by %j', async (configuration) => {
    const { form, authorization } = await shown({ configuration })
    expect([authorization, proofsIn(form)]).toEqual([basic('drawbridge', 's3cret'), []])
  })
  test('is encoded there as a form would be, RFC 6749 §2.3.1', async () => {
    expect((await shown({ secret: new Secret('a:b+c%/ä') })).authorization).toBe(basic('drawbridge', 'a%3Ab%2Bc%25%2F%C3%A4'))
  })
  test('goes in the form where the provider wants that, and then not in the header', async () => {
    const { form, authorization } = await shown({ configuration: { clientAuthentication: 'client_secret_post' } })
    expect(form).toMatchObject({ client_id: 'drawbridge', client_secret: 's3cret' })
    expect([authorization, proofsIn(form)]).toEqual([undefined, ['client_id', 'client_secret']])
  })
  test.each([
    { configuration: { clientAuthentication: 'none' }, secret: new Secret('s3cret') },
    { configuration: {}, secret: null },
  ])('is not shown by a public client: $configuration', async (login) => {
    const { form, authorization } = await shown(login)
    expect([authorization, form['client_id'], proofsIn(form)]).toEqual([undefined, 'drawbridge', ['client_id']])
  })
})

describe('a key of ours', () => {
  const { jwk, ...signer } = aSigner('ours', 'PS256')
  const key: ClientKey = { ...signer, certificateThumbprint: 'dGh1bWI' }
  const configuration = { clientAuthentication: 'private_key_jwt' }
  const assertionOf = async (login: Login = {}) => {
    const { form, authorization } = await shown({ key, ...login, configuration: { ...configuration, ...login.configuration } })
    expect([authorization, proofsIn(form).toSorted()]).toEqual([undefined, ['client_assertion', 'client_assertion_type', 'client_id']])
    expect(form['client_assertion_type']).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    const [header = '', claims = '', signature = ''] = form['client_assertion']?.split('.') ?? []
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    return { header: read(header), claims: read(claims), signed: `${header}.${claims}`, signature }
  }

  test('signs an assertion for the issuer, for two minutes, with an id of its own', async () => {
    const seconds = toSeconds(now)
    const [one, other] = [await assertionOf(), await assertionOf()]
    const { jti, ...claims } = one.claims
    expect(claims).toEqual({
      ...{ iss: 'drawbridge', sub: 'drawbridge', aud: issuer },
      ...{ iat: seconds, nbf: seconds, exp: seconds + clientAssertionSeconds },
    })
    expect(jti).toMatch(/^[0-9a-f-]{36}$/)
    expect(other.claims.jti).not.toBe(jti)
    const publicKey = { key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), padding: 6, saltLength: 32 }
    expect(verify('sha256', Buffer.from(one.signed), publicKey, Buffer.from(one.signature, 'base64url'))).toBe(true)
  })
  test('is named by its id, and by the certificate that Entra finds it by', async () => {
    expect((await assertionOf()).header).toEqual({ alg: 'PS256', typ: 'JWT', kid: 'ours', 'x5t#S256': 'dGh1bWI' })
    expect((await assertionOf({ key: { ...key, certificateThumbprint: undefined } })).header).not.toHaveProperty('x5t#S256')
  })
  test('speaks to the token endpoint where the provider wants to be called so, as Okta and Entra do', async () => {
    const { clientAssertionAudience } = oidcVendors.entra.preset
    expect(oidcVendors.okta.preset.clientAssertionAudience).toBe(clientAssertionAudience)
    expect((await assertionOf({ configuration: { clientAssertionAudience } })).claims.aud).toBe(`${issuer}/token`)
  })
})

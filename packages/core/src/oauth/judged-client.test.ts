import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type JudgedClient, type JudgedMember, judgedMembers } from './client.js'
import { judgedTextsOf } from './judged-client.js'

const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }
const client: JudgedClient = {
  name: 'Tools',
  redirectUris: ['https://tools.example/a', 'https://tools.example/b'],
  grantTypes: ['authorization_code', 'refresh_token'],
  authMethod: 'private_key_jwt',
  jwks: { keys: [key, { ...key, x: 'z' }] },
  backchannelLogoutUri: 'https://tools.example/logout',
  postLogoutRedirectUris: ['https://tools.example/bye'],
}
const changedBy = (change: Partial<JudgedClient>): readonly JudgedMember[] => {
  const [before, after] = [judgedTextsOf(client), judgedTextsOf({ ...client, ...change })]
  return judgedMembers.filter((member) => before[member] !== after[member])
}

// OAuth CIMD §6: a changed document invalidates what was decided on the old one.
it.each<{ member: JudgedMember; change: Partial<JudgedClient> }>([
  { member: 'name', change: { name: 'Other tools' } },
  { member: 'redirectUris', change: { redirectUris: ['https://tools.example/a', 'https://tools.example/c'] } },
  { member: 'redirectUris', change: { redirectUris: ['https://tools.example/a'] } },
  { member: 'grantTypes', change: { grantTypes: ['authorization_code', 'client_credentials'] } },
  { member: 'tokenEndpointAuthMethod', change: { authMethod: 'none' } },
  { member: 'jwks', change: { jwks: { keys: [key] } } },
  { member: 'jwks', change: { jwks: { keys: [key, { ...key, x: 'stranger' }] } } },
  { member: 'jwks', change: { jwks: undefined } },
  { member: 'jwks', change: { jwks: { keys: [key, { ...key, x: 'z', use: 'sig' }] } } },
  { member: 'jwks', change: { jwks: undefined, jwksUri: 'https://tools.example/jwks' } },
  { member: 'backchannelLogoutUri', change: { backchannelLogoutUri: 'https://other.example/logout' } },
  { member: 'backchannelLogoutUri', change: { backchannelLogoutUri: undefined } },
  { member: 'postLogoutRedirectUris', change: { postLogoutRedirectUris: ['https://tools.example:8443/bye'] } },
  { member: 'postLogoutRedirectUris', change: { postLogoutRedirectUris: ['com.example.tools:/bye'] } },
])('tells that $member changed: $change', ({ member, change }) => {
  expect(changedBy(change)).toEqual([member])
})

it('takes another name in its certificate, and another certificate in place of a secret, for another way to prove itself', () => {
  const by = (value: string): Partial<JudgedClient> => ({ authMethod: 'tls_client_auth', certificateName: { kind: 'san_dns', value } })
  expect(changedBy(by('tools.example'))).toEqual(['tokenEndpointAuthMethod'])
  const [one, other] = ['tools.example', 'other.example'].map((value) => judgedTextsOf({ ...client, ...by(value) }))
  expect(one?.tokenEndpointAuthMethod).not.toBe(other?.tokenEndpointAuthMethod)
})

it.each<{ what: string; change: Partial<JudgedClient> }>([
  { what: 'the path of a logout address', change: { backchannelLogoutUri: 'https://tools.example/other' } },
  { what: 'the path after a logout', change: { postLogoutRedirectUris: ['https://tools.example/x', 'https://tools.example/y'] } },
  { what: 'a redirect URI that is said twice', change: { redirectUris: [...client.redirectUris, ...client.redirectUris] } },
  {
    what: 'what we do not know of a key, and its id',
    change: {
      jwks: {
        keys: [
          { ...key, kid: 'k', x5t: 'x' },
          { ...key, x: 'z' },
        ],
        more: 1,
      },
    },
  },
])('does not mind $what', ({ change }) => {
  expect(changedBy(change)).toEqual([])
})

it('does not mind any order', () => {
  const shuffled = <Value>(values: readonly Value[]) => fc.shuffledSubarray([...values], { minLength: values.length })
  const keys = (client.jwks as { keys: object[] }).keys
  fc.assert(
    fc.property(shuffled(client.redirectUris), shuffled(client.grantTypes), shuffled(keys), (redirectUris, grantTypes, shuffledKeys) => {
      const backwards = shuffledKeys.map((each) => Object.fromEntries(Object.entries(each).reverse()))
      expect(changedBy({ redirectUris, grantTypes, jwks: { keys: backwards } })).toEqual([])
    }),
  )
})

it('tells any two sets of redirect URIs apart', () => {
  const uris = fc.uniqueArray(fc.string(), { maxLength: 4 })
  fc.assert(
    fc.property(uris, uris, (one, other) => {
      const same = one.length === other.length && one.every((uri) => other.includes(uri))
      const text = (redirectUris: string[]) => judgedTextsOf({ ...client, redirectUris }).redirectUris
      expect(text(one) === text(other)).toBe(same)
    }),
  )
})

it.each([null, 'text', { keys: 'text' }, { keys: [null, 1] }])('reads nothing into keys that are none: %j', (jwks) => {
  expect(judgedTextsOf({ ...client, jwks }).jwks).toBe('[]')
})

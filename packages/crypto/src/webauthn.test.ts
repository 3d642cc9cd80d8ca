/** Passkeys against an authenticator that lies in one thing at a time: nothing but the honest answer is believed. */
import { type APasskey, aPasskey, type PasskeyLie } from '@drawbridge/testkit/a-passkey'
import { beforeEach, describe, expect, it, test } from 'vitest'
import {
  authenticationOptions,
  credentialIdOf,
  type Passkey,
  type RelyingParty,
  registrationOptions,
  verifyAuthentication,
  verifyRegistration,
} from './webauthn.js'

const party: RelyingParty = { id: 'login.example', name: 'Acme', origin: 'https://login.example' }
const person = { id: '0f0e7d0a-0000-4000-8000-000000000000', name: 'ada@acme.example' }
const challenge = Buffer.alloc(32, 7)
type Asked = Parameters<APasskey['get']>[0] & Readonly<Record<string, unknown>>
let device: APasskey
let passkey: Passkey
const asCreated = async (others: readonly Passkey[] = []) => (await registrationOptions(party, person, { challenge, others })) as Asked
const asAsked = async (passkeys: readonly Passkey[]) => (await authenticationOptions(party, challenge, passkeys)) as Asked

beforeEach(async () => {
  device = aPasskey(party.origin)
  passkey = (await verifyRegistration(party, challenge, device.create(await asCreated()))) as Passkey
})

const lies: readonly (readonly [string, PasskeyLie])[] = [
  ['for a page of another origin', { origin: 'https://login.example.evil.example' }],
  ['for a page of the same host without TLS', { origin: 'http://login.example' }],
  ['for another relying party', { rpId: 'evil.example' }],
  ['to another challenge', { challenge: Buffer.alloc(32, 8).toString('base64url') }],
  ['with nobody verified', { flags: 0x01 }],
  ['with nobody present', { flags: 0x04 }],
  ['from within a frame of another site', { crossOrigin: true }],
]

describe('a new passkey', () => {
  it('is asked for with the person verified, by nobody’s attestation, and not where she has it already', async () => {
    expect(await asCreated([passkey])).toMatchObject({
      rp: { id: party.id, name: 'Acme' },
      attestation: 'none',
      authenticatorSelection: { userVerification: 'required' },
      excludeCredentials: [{ id: passkey.credentialId }],
    })
  })
  it('is what the device made', () => {
    expect(passkey).toMatchObject({ credentialId: device.id, counter: 0, transports: ['internal'] })
  })
  test.each([...lies, ['as an answer to the other question', { type: 'webauthn.get' }] as const])('is not believed %s', async (_, lie) => {
    expect(await verifyRegistration(party, challenge, device.create(await asCreated(), lie))).toBeUndefined()
  })
  test.each(['', '{}', 'null', '[]', '{"id":1}', JSON.stringify({ id: 'a', rawId: 'a', type: 'public-key', response: {} })])(
    'is no %j',
    async (text) => {
      expect(await verifyRegistration(party, challenge, text)).toBeUndefined()
    },
  )
  it('is refused with the certificate of a maker, unread', async () => {
    const answer = JSON.parse(device.create(await asCreated()))
    const object = Buffer.from(answer.response.attestationObject, 'base64url').toString('latin1')
    // "none" with an empty statement becomes "tpm_" with one.
    const attested = Buffer.from(object.replace('dnone', 'dtpm_'), 'latin1').toString('base64url')
    answer.response.attestationObject = attested
    expect(await verifyRegistration(party, challenge, JSON.stringify(answer))).toBeUndefined()
  })
})

describe('an answer', () => {
  const answered = async (lie: PasskeyLie = {}, by = device) =>
    verifyAuthentication(party, { challenge, passkey, personId: person.id }, by.get(await asAsked([passkey]), lie))

  it('is asked of her passkeys alone, with the person verified', async () => {
    expect(await asAsked([passkey])).toMatchObject({ userVerification: 'required', allowCredentials: [{ id: passkey.credentialId }] })
  })
  it('is believed, and tells its counter', async () => {
    expect(await answered()).toEqual({ credentialId: passkey.credentialId, counter: 1 })
    expect(await answered({ counter: 41 })).toMatchObject({ counter: 41 })
  })
  test.each([...lies, ['as an answer to the other question', { type: 'webauthn.create' }] as const])(
    'is not believed %s',
    async (_, lie) => {
      expect(await answered(lie)).toBeUndefined()
    },
  )
  it('is not believed by another device in its name, nor for another person', async () => {
    expect(await answered({ credentialId: device.id }, aPasskey(party.origin))).toBeUndefined()
    expect(await answered({ userHandle: Buffer.from('somebody else').toString('base64url') })).toBeUndefined()
    expect(await answered({ credentialId: 'AAAA' })).toBeUndefined()
  })
  it('names its passkey, or nothing', async () => {
    expect(credentialIdOf(device.get(await asAsked([passkey])))).toBe(device.id)
    expect(['', '{}', 'nonsense'].map(credentialIdOf)).toEqual([undefined, undefined, undefined])
  })
})

/** A company's transmitter of signals: security event tokens that it pushes, or offers to whoever fetches them (SSF), and Global Token Revocations, each signed as the company's own does it. */
import { randomUUID } from 'node:crypto'
import { loadKeys } from '@drawbridge/simulator/keys'
import type { Simulator } from '@drawbridge/simulator/simulator'
import { exportJWK, generateKeyPair, importPKCS8, SignJWT } from 'jose'
import { publicUrl } from '../a-production.js'
import type { Said } from './ask.js'
import type { Offers } from './offered.js'

export const signalEvents = {
  sessionRevoked: 'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  accountDisabled: 'https://schemas.openid.net/secevent/risc/event-type/account-disabled',
} as const

export type Transmitter = {
  /** One event about somebody, by her id at the company: the same token whenever it is sent. */
  toPush(type: string, personId: string): Promise<Said>
  /** The same, offered to whoever fetches it. */
  toOffer(type: string, personId: string): Promise<Said>
  /** One demand to end everything of hers: the same JWT whenever it is sent. */
  toRevoke(personId: string): Promise<Said>
}

export type TransmitterKeys = {
  readonly issuer: string
  /** What the transmitter shows of its keys. */
  readonly jwks: { readonly keys: readonly object[] }
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
}

const lifeSeconds = 300
const seconds = () => Math.floor(Date.now() / 1000)

export async function transmitterKeysOf(slug: string): Promise<TransmitterKeys> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const header = { alg: 'RS256', kid: 'signals', typ: 'secevent+jwt' }
  return {
    issuer: `https://signals.${slug}.example`,
    jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: header.kid, use: 'sig', alg: header.alg }] },
    sign: (claims) => new SignJWT(claims).setProtectedHeader(header).sign(privateKey),
  }
}

type Place = {
  readonly slug: string
  readonly connectionId: string
  readonly idp: Simulator
  readonly idpKeys: string
  readonly offers: Offers
}

/** `idpKeys`: the folder of the IdP's keys, by which a SAML connection believes a Global Token Revocation. */
export async function aTransmitter(keys: TransmitterKeys, { slug, connectionId, idp, idpKeys, offers }: Place): Promise<Transmitter> {
  const home = `/t/${slug}`
  const idpKey = await importPKCS8((await loadKeys(idpKeys, new Date())).acme.current.privateKeyPem, 'RS256')
  const header = { alg: 'RS256', typ: 'global-token-revocation+jwt' }
  const receiver = `${home}/ssf/receivers/${connectionId}`
  const sign = async (type: string, personId: string) => {
    const id = randomUUID()
    const [iss, aud, sub_id] = [keys.issuer, `${publicUrl}${receiver}`, { format: 'opaque', id: personId }]
    const events = { [type]: { event_timestamp: seconds() } }
    return { id, body: await keys.sign({ iss, aud, jti: id, iat: seconds(), sub_id, events }) }
  }
  return {
    toPush: async (type, personId) => {
      const { id, body } = await sign(type, personId)
      const headers = { 'content-type': 'application/secevent+jwt' }
      return { id, send: (by, at) => by(`${at}${receiver}`, { method: 'POST', headers, body }) }
    },
    toOffer: async (type, personId) => {
      const { id, body } = await sign(type, personId)
      return { id, isFetched: true, send: async () => ((await offers.offer(id, body)) ? { status: 202, json: {} } : undefined) }
    },
    toRevoke: async (personId) => {
      const path = `${home}/global-token-revocation/${connectionId}`
      const id = randomUUID()
      const [iat, iss] = [seconds(), idp.metadataUrl('acme')]
      const claims = { iss, sub: 'its own', aud: `${publicUrl}${path}`, jti: id, iat, exp: iat + lifeSeconds }
      const token = await new SignJWT(claims).setProtectedHeader(header).sign(idpKey)
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ sub_id: { format: 'opaque', id: personId } })
      return { id, send: (by, at) => by(`${at}${path}`, { method: 'POST', headers, body }) }
    },
  }
}

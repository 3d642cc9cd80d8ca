/** An authenticator without a browser: makes passkeys and answers challenges as WebAuthn says, and lies where a test tells it to. */
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'

type Options = {
  readonly challenge: string
  readonly rp?: { readonly id: string }
  readonly rpId?: string
  readonly user?: { readonly id: string }
}
export type PasskeyLie = {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  /** User present, user verified. */
  readonly flags?: number
  readonly counter?: number
  readonly credentialId?: string
  readonly userHandle?: string
}

const base64url = (octets: Buffer): string => octets.toString('base64url')
const sha256 = (octets: Buffer | string): Buffer => createHash('sha256').update(octets).digest()
const presentAndVerified = 0x05
const attested = 0x40

export function aPasskey(origin: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = randomBytes(32)
  let counter = 0
  let userHandle = ''
  const clientData = (type: string, challenge: string, lie: PasskeyLie): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: lie.type ?? type,
        challenge: lie.challenge ?? challenge,
        origin: lie.origin ?? origin,
        crossOrigin: lie.crossOrigin ?? false,
      }),
    )
  const authenticatorData = (rpId: string, flags: number, count: number, rest = Buffer.alloc(0)): Buffer => {
    const head = Buffer.alloc(5)
    head.writeUInt8(flags, 0)
    head.writeUInt32BE(count, 1)
    return Buffer.concat([sha256(rpId), head, rest])
  }
  const named = (lie: PasskeyLie) => lie.credentialId ?? base64url(id)
  const common = (lie: PasskeyLie) => ({ id: named(lie), rawId: named(lie), type: 'public-key', clientExtensionResults: {} })
  return {
    id: base64url(id),
    /** What `navigator.credentials.create` would answer, as JSON. */
    create: (options: Options, lie: PasskeyLie = {}): string => {
      userHandle = options.user?.id ?? ''
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
      const length = Buffer.alloc(2)
      length.writeUInt16BE(id.length)
      const rest = Buffer.concat([Buffer.alloc(16), length, id, coseKey(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))])
      const data = authenticatorData(
        lie.rpId ?? options.rp?.id ?? '',
        (lie.flags ?? presentAndVerified) | attested,
        lie.counter ?? counter,
        rest,
      )
      const clientDataJSON = base64url(clientData('webauthn.create', options.challenge, lie))
      return JSON.stringify({
        ...common(lie),
        response: { clientDataJSON, attestationObject: base64url(unattested(data)), transports: ['internal'] },
      })
    },
    /** What `navigator.credentials.get` would answer, as JSON. */
    get: (options: Options, lie: PasskeyLie = {}): string => {
      counter += 1
      const client = clientData('webauthn.get', options.challenge, lie)
      const data = authenticatorData(lie.rpId ?? options.rpId ?? '', lie.flags ?? presentAndVerified, lie.counter ?? counter)
      const signature = createSign('sha256')
        .update(Buffer.concat([data, sha256(client)]))
        .sign(privateKey)
      const response = { clientDataJSON: base64url(client), authenticatorData: base64url(data), signature: base64url(signature) }
      return JSON.stringify({ ...common(lie), response: { ...response, userHandle: lie.userHandle ?? userHandle } })
    },
  }
}
export type APasskey = ReturnType<typeof aPasskey>

const bytes = (octets: Buffer): Buffer =>
  octets.length < 24
    ? Buffer.concat([Buffer.from([0x40 + octets.length]), octets])
    : octets.length < 256
      ? Buffer.concat([Buffer.from([0x58, octets.length]), octets])
      : Buffer.concat([Buffer.from([0x59, octets.length >> 8, octets.length & 255]), octets])
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)])

/** {1: 2, 3: -7, -1: 1, -2: x, -3: y}. RFC 9053 §7.1.1 */
const coseKey = (x: Buffer, y: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]), bytes(x), Buffer.from([0x22]), bytes(y)])

/** {"fmt": "none", "attStmt": {}, "authData": …} */
const unattested = (data: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0xa3]), text('fmt'), text('none'), text('attStmt'), Buffer.from([0xa0]), text('authData'), bytes(data)])

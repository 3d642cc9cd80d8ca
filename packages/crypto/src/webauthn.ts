/**
 * Passkeys: what a browser is asked for, and whether what it answers is what was asked.
 *
 * The library reads and verifies; around it stands what it leaves to its caller: the person was verified, the page was ours and no frame
 * of another site, and nobody's attestation is believed or looked up, so that no certificate of a stranger has us fetch anything.
 * A counter that does not grow is the store's to refuse, because two answers may arrive at once.
 *
 * @spec WebAuthn Level 3 §7.1 registration, §7.2 authentication
 */
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { decodeAttestationObject, decodeClientDataJSON } from '@simplewebauthn/server/helpers'
import { z } from 'zod'

/** Whom the browser shows its passkeys to. The RP ID is for ever: every passkey belongs to it. */
export type RelyingParty = { readonly id: string; readonly name: string; readonly origin: string }

export type Passkey = {
  /** As the authenticator calls it, in base64url. */
  readonly credentialId: string
  readonly publicKey: Buffer
  readonly counter: number
  readonly transports: readonly string[]
}

/** ES256, EdDSA, and RS256 for Windows Hello. */
const algorithms = [-7, -8, -257]
const promptMs = 120_000

const base64url = z
  .string()
  .max(16_384)
  .regex(/^[A-Za-z0-9_-]+$/)
const transports = z.array(z.string().max(32)).max(10)
const common = { id: base64url.max(1400), rawId: base64url.max(1400), type: z.literal('public-key'), clientExtensionResults: z.object({}) }
const registrationShape = z.object({
  ...common,
  response: z.object({ clientDataJSON: base64url, attestationObject: base64url, transports: transports.optional() }),
})
const authenticationShape = z.object({
  ...common,
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.max(128).nullish(),
  }),
})

/** What a page gives to `navigator.credentials.create`. `others`: what she has already is not made twice. */
export async function registrationOptions(
  party: RelyingParty,
  person: { readonly id: string; readonly name: string },
  { challenge, others }: { readonly challenge: Buffer; readonly others: readonly Passkey[] },
): Promise<object> {
  return generateRegistrationOptions({
    rpName: party.name,
    rpID: party.id,
    userID: Uint8Array.from(Buffer.from(person.id, 'utf8')),
    userName: person.name,
    userDisplayName: person.name,
    challenge: Uint8Array.from(challenge),
    timeout: promptMs,
    attestationType: 'none',
    excludeCredentials: others.map(({ credentialId, transports: known }) => ({ id: credentialId, transports: [...known] })),
    authenticatorSelection: { residentKey: 'discouraged', userVerification: 'required' },
    supportedAlgorithmIDs: algorithms,
  })
}

/** What a page gives to `navigator.credentials.get`: only these passkeys answer. */
export async function authenticationOptions(party: RelyingParty, challenge: Buffer, passkeys: readonly Passkey[]): Promise<object> {
  return generateAuthenticationOptions({
    rpID: party.id,
    challenge: Uint8Array.from(challenge),
    timeout: promptMs,
    userVerification: 'required',
    allowCredentials: passkeys.map(({ credentialId, transports: known }) => ({ id: credentialId, transports: [...known] })),
  })
}

/** The new passkey of an answer to `registrationOptions`. `undefined`: it is no such answer. Never throws. */
export async function verifyRegistration(party: RelyingParty, challenge: Buffer, answer: string): Promise<Passkey | undefined> {
  const parsed = parse(registrationShape, answer)
  if (parsed === undefined || !isOurPage(parsed.response.clientDataJSON) || !isUnattested(parsed.response.attestationObject))
    return undefined
  return unlessItThrows(async () => {
    const { transports: told, ...response } = parsed.response
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: { ...parsed, response },
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    })
    if (!verified) return undefined
    const { id, publicKey, counter } = registrationInfo.credential
    return { credentialId: id, publicKey: Buffer.from(publicKey), counter, transports: told ?? [] }
  })
}

export type Answered = {
  readonly credentialId: string
  /** Larger than at the last use, or none: for the store to hold it to. */
  readonly counter: number
}

/** What an answer to `authenticationOptions` says it is by: to find the passkey that it must be verified with. */
export const credentialIdOf = (answer: string): string | undefined => parse(authenticationShape, answer)?.id

/** Whether this passkey of the person `personId` answered. `undefined`: it did not. Never throws. */
export async function verifyAuthentication(
  party: RelyingParty,
  { challenge, passkey, personId }: { readonly challenge: Buffer; readonly passkey: Passkey; readonly personId: string },
  answer: string,
): Promise<Answered | undefined> {
  const parsed = parse(authenticationShape, answer)
  if (parsed === undefined || parsed.id !== passkey.credentialId || !isOurPage(parsed.response.clientDataJSON)) return undefined
  const { userHandle, ...signed } = parsed.response
  if (userHandle != null && Buffer.from(userHandle, 'base64url').toString('utf8') !== personId) return undefined
  return unlessItThrows(async () => {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...parsed, response: signed },
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      // Which counter it must be above is decided where it is written.
      credential: { id: passkey.credentialId, publicKey: Uint8Array.from(passkey.publicKey), counter: 0 },
    })
    return verified ? { credentialId: passkey.credentialId, counter: authenticationInfo.newCounter } : undefined
  })
}

function parse<Shape extends z.ZodType>(shape: Shape, answer: string): z.output<Shape> | undefined {
  try {
    const parsed = shape.safeParse(JSON.parse(answer))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** A page of another site that frames ours could have asked: no page of ours may be framed, and no answer from a frame is taken. */
function isOurPage(clientDataJSON: string): boolean {
  try {
    const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJSON)
    return crossOrigin !== true && topOrigin === undefined
  } catch {
    return false
  }
}

/** None was asked for. By itself a key may vouch for itself; a certificate of its maker is refused unread. */
function isUnattested(attestationObject: string): boolean {
  try {
    const decoded = decodeAttestationObject(Uint8Array.from(Buffer.from(attestationObject, 'base64url')))
    const format = decoded.get('fmt')
    return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined)
  } catch {
    return false
  }
}

/** Whatever the library says by throwing is a no: its words are for developers, and hold what a stranger sent. */
async function unlessItThrows<T>(run: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await run()
  } catch {
    return undefined
  }
}

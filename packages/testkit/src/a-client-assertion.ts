/** Assertions by which a client with a key proves itself at a token endpoint, good ones and any other, and what the endpoint says of them. RFC 7523 §2.2 */
import { type KeyObject, sign } from 'node:crypto'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export type Signer = (input: Buffer) => Buffer
export const byEs256 =
  (key: KeyObject): Signer =>
  (input) =>
    sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' })

export const encodePart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Header and claims as they are given. */
export function aClientAssertion(header: object, claims: object, signer: Signer): string {
  const input = `${encodePart(header)}.${encodePart(claims)}`
  return `${input}.${signer(Buffer.from(input)).toString('base64url')}`
}

export type SaidOfAssertion = {
  /** `proven`, or the error. */
  readonly said: string
  readonly status: number
  readonly retryAfter: string | null
  /** As it came. */
  readonly text: string
}

/**
 * What the token endpoint says of the proof alone: the resource does not exist, so a client that is proven hears of that, or that the grant
 * is not its own. `more` is added as it stands.
 */
export async function presentAssertion(
  issuer: string,
  assertion: string,
  more: readonly [string, string][] = [],
): Promise<SaidOfAssertion> {
  const asked = { grant_type: 'client_credentials', resource: 'https://nowhere.example', client_assertion_type: assertionType }
  const body = new URLSearchParams([...Object.entries({ ...asked, client_assertion: assertion }), ...more])
  const response = await fetch(`${issuer}/token`, { method: 'POST', body })
  const text = await response.text()
  const { error } = JSON.parse(text) as { readonly error: string }
  const isProven = ['invalid_target', 'unauthorized_client'].includes(error)
  return { said: isProven ? 'proven' : error, status: response.status, retryAfter: response.headers.get('retry-after'), text }
}

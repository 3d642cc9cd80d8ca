/**
 * The query of the HTTP-Redirect binding, read once: the message and the octets that are signed come out of the same pieces of the raw text.
 *
 * Nothing is decoded and encoded again, because IdPs write percent-encoding differently (AD FS and Entra in lower-case hex) and sign what they
 * wrote. A name that is repeated, percent-encoded or spelt in other letters is how two readers are made to see two messages: it is refused.
 *
 * @spec SAML Bindings §3.4.4.1
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { decodeBase64 } from './decode-message.js'

export const redirectLimits = {
  /** Longer than any URL that reaches us. */
  queryLength: 65_536,
  parameters: 32,
  /** SAML Bindings §3.4.3 allows 80 octets; IdPs write more. It comes back to them as it was. */
  relayStateLength: 2048,
} as const

export type RedirectQuery = {
  readonly carries: 'SAMLRequest' | 'SAMLResponse'
  /** Base64 of the deflated message. */
  readonly message: string
  readonly relayState: string | undefined
  readonly algorithm: string
  readonly signature: Buffer
  /** As they came, in the order that the binding signs them in. */
  readonly signedOctets: Buffer
}

const ours: readonly string[] = ['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg', 'Signature', 'SAMLEncoding']
const ourNamesInLowerCase = ours.map((name) => name.toLowerCase())
const plainName = /^[A-Za-z0-9_.~-]{1,64}$/
const printable = /^[\x21-\x7e]*$/
const deflateEncoding = 'urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE'

type Read<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason, why: string): Read<never> => err({ reason, detail: { why } })

export function parseRedirectQuery(query: string): Read<RedirectQuery> {
  const split = splitQuery(query)
  if (!split.ok) return split
  const raw = split.value
  const [carries, second] = (['SAMLRequest', 'SAMLResponse'] as const).filter((name) => raw.has(name))
  if (carries === undefined) return err({ reason: 'saml_message_missing' })
  if (second !== undefined) return err({ reason: 'saml_message_ambiguous' })
  const values = decodeAll(raw)
  if (values === undefined) return refuse('saml_query_malformed', 'encoding')
  if ((values.get('SAMLEncoding') ?? deflateEncoding) !== deflateEncoding) return err({ reason: 'saml_url_encoding_refused' })
  const relayState = values.get('RelayState')
  if ((relayState?.length ?? 0) > redirectLimits.relayStateLength)
    return err({ reason: 'saml_limit_exceeded', detail: { limit: 'relayState' } })
  const [algorithm, signature] = [values.get('SigAlg'), values.get('Signature')]
  if (algorithm === undefined || signature === undefined) return err({ reason: 'saml_query_unsigned' })
  const octets = decodeBase64(signature)
  if (octets === undefined) return err({ reason: 'saml_signature_invalid' })
  const signed = [carries, 'RelayState', 'SigAlg'].filter((name) => raw.has(name)).map((name) => `${name}=${raw.get(name)}`)
  const read = { carries, message: values.get(carries) ?? '', relayState, algorithm, signature: octets }
  return ok({ ...read, signedOctets: Buffer.from(signed.join('&'), 'latin1') })
}

/** Raw values by name, of every parameter there is: those of others must be as plain as ours. */
function splitQuery(query: string): Read<ReadonlyMap<string, string>> {
  if (query.length > redirectLimits.queryLength)
    return err({ reason: 'saml_message_too_large', detail: { limit: redirectLimits.queryLength } })
  if (!printable.test(query)) return refuse('saml_query_malformed', 'octets')
  const pairs = query.split('&')
  if (pairs.length > redirectLimits.parameters) return refuse('saml_query_malformed', 'parameters')
  const raw = new Map<string, string>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = at < 0 ? pair : pair.slice(0, at)
    if (!plainName.test(name)) return refuse('saml_query_malformed', 'name')
    if (ourNamesInLowerCase.includes(name.toLowerCase()) && !ours.includes(name)) return refuse('saml_query_malformed', 'case')
    if (raw.has(name)) return refuse('saml_query_malformed', 'repeated')
    raw.set(name, at < 0 ? '' : pair.slice(at + 1))
  }
  return ok(raw)
}

function decodeAll(raw: ReadonlyMap<string, string>): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>()
  for (const name of ours) {
    const written = raw.get(name)
    if (written === undefined) continue
    const value = decode(written)
    if (value === undefined) return undefined
    values.set(name, value)
  }
  return values
}

/** A bare plus is a space, as in a form: no base64 that we would read holds one. */
function decode(written: string): string | undefined {
  try {
    const value = decodeURIComponent(written.replaceAll('+', ' '))
    return value.includes('\0') ? undefined : value
  } catch {
    return undefined
  }
}

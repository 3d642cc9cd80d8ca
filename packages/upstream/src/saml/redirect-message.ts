/** A message out of a redirect: nothing is inflated before a key of the connection has vouched for it. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { inflateMessage } from './decode-message.js'
import { parseRedirectQuery, type RedirectQuery } from './redirect-query.js'
import { type AllowedAlgorithms, judgeSignatureMethod, keysOf, verifyOctets } from './signature-algorithms.js'

/** RelayState is signed with it. */
export type RedirectMessage = Pick<RedirectQuery, 'carries' | 'relayState'> & { readonly text: string }

/** `query` is raw: as it stood behind the question mark. */
export function readRedirectMessage(
  query: string,
  trust: { readonly certificates: readonly string[]; readonly allowed: AllowedAlgorithms },
): Result<RedirectMessage, UpstreamRefusal> {
  const parsed = parseRedirectQuery(query)
  if (!parsed.ok) return parsed
  const { carries, message, relayState, algorithm, signature, signedOctets } = parsed.value
  const verdict = judgeSignatureMethod(algorithm, trust.allowed)
  if (verdict !== 'accepted') return err({ reason: verdict === 'sha1' ? 'saml_algorithm_sha1' : 'saml_algorithm_refused' })
  if (!verifyOctets(algorithm, trust.allowed, keysOf(trust.certificates), { octets: signedOctets, signature }))
    return err({ reason: 'saml_signature_invalid' })
  const text = inflateMessage(message)
  return text.ok ? ok({ carries, relayState, text: text.value }) : text
}

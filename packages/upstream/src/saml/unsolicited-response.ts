/** Whether a response says that it answers a request. Read before anything is verified, and good for one thing: refusing to go round in circles. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { readResponse } from './assertion-reader.js'
import { decodeMessage } from './decode-message.js'
import { readWithXmlSignature } from './xml-signature-reader.js'

/**
 * `answer`: an IdP that loses our RelayState answers every request so, and the next request would be lost in the same way.
 *
 * @spec SAML Profiles §4.1.5 an unsolicited response has no InResponseTo
 * @spec SAML Bindings §3.5.3 RelayState is returned as it was sent
 */
export function readUnsolicited(parameter: string): Result<'unsolicited' | 'answer', UpstreamRefusal> {
  const text = decodeMessage(parameter)
  const message = text.ok ? readWithXmlSignature(text.value) : text
  const response = message.ok ? readResponse(message.value.root) : message
  if (!response.ok) return err(response.error)
  return ok(response.value.inResponseTo === undefined ? 'unsolicited' : 'answer')
}

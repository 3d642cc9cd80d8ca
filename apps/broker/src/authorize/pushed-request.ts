/** What a browser brings to the authorization endpoint in place of a request: the address of one that its client pushed. */
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { isPushedRequestUri, parseRequestUri, pushedParametersFromJson } from '@drawbridge/core/oauth/pushed-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { hashCredential } from '@drawbridge/crypto/hash'
import { usePushedRequest } from '@drawbridge/store/pushed-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { SingleValuedForm } from '../http/form.js'
import type { ResolvedTenant } from '../http/tenant.js'

export type FoundParameters = { readonly parameters: SingleValuedForm; readonly isPushed: boolean }

/**
 * The parameters that count. With the address of a pushed request these are what was pushed, and of what stands beside it only client_id is
 * read: whoever made the link cannot add to it. It is used up here, whatever comes of it.
 *
 * @spec RFC 9126 §4 client_id and request_uri, once; RFC 9101 §5, §6.3 parameters beside it are not used
 */
export async function findParameters(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  parameters: SingleValuedForm,
): Promise<Result<FoundParameters, PageRefusal>> {
  const requestUri = parameters['request_uri']
  if (requestUri === undefined || !isPushedRequestUri(requestUri)) return ok({ parameters, isPushed: false })
  const handle = parseRequestUri(requestUri)
  const clientId = parameters['client_id']
  const used =
    handle &&
    clientId !== undefined &&
    (await usePushedRequest(onHotPath(deps.database), tenant.id, {
      requestHash: hashCredential(handle.reveal()),
      issuerId: tenant.issuer.id,
      clientId,
      now: deps.clock.now(),
    }))
  const pushed = pushedParametersFromJson(used)
  return pushed ? ok({ parameters: pushed, isPushed: true }) : err({ reason: 'request_uri_invalid' })
}

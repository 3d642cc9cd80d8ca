/** How SCIM answers look: their own media type, their own error body. */
import { type ScimError, scimContentType, scimErrorBody, scimErrors } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import { tenantOf } from '../http/endpoint.js'

export const scimJson = (body: JsonObject, status = 200, headers: Readonly<Record<string, string>> = {}): Answer =>
  json(body, { status, contentType: scimContentType, headers: { 'cache-control': 'no-store', ...headers } })

/** @spec RFC 6750 §3.1 */
const challenges: Readonly<Record<number, string>> = { 401: 'Bearer realm="scim"', 403: 'Bearer realm="scim", error="insufficient_scope"' }
const ofScope: readonly ScimError['reason'][] = ['scim_scope_missing', 'scim_scope_exceeded']

export function refuseScim(error: ScimError): Answer {
  const { status } = scimErrors[error.reason]
  const challenge = status === 401 || ofScope.includes(error.reason) ? challenges[status] : undefined
  return json(scimErrorBody(error), {
    status,
    contentType: scimContentType,
    headers: { 'cache-control': 'no-store', ...(challenge === undefined ? {} : { 'www-authenticate': challenge }) },
    refusal: { reason: error.reason, ...(error.detail === undefined ? {} : { detail: { detail: error.detail } }) },
  })
}

export const scimBaseUrl = (http: Pick<HttpRequest, 'tenant'>, deps: BrokerDeps): string =>
  `${deps.settings.publicUrl}/t/${tenantOf(http).slug}/scim/v2`

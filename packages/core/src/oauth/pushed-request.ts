/**
 * Authorization requests that a client pushes beforehand, and the address that names one. RFC 9126.
 *
 * What was pushed is judged by the same parser as what a browser brings, twice: when it is pushed, and again when it is used, by client and
 * configuration as they are then.
 */
import { z } from 'zod'
import { err, ok, type Result } from '../result.js'
import { Secret } from '../secret.js'
import { isAuthorizationParameter } from './authorization-parameters.js'
import type { ProvenKey } from './dpop-proof.js'

/** @spec RFC 9126 §2.2 the form of request_uri */
const requestUriPrefix = 'urn:ietf:params:oauth:request_uri:'

/** From the push to the browser's request: one redirect. RFC 9126 §2.2 */
export const pushedRequestTtlSeconds = 60
/** The longest body that may be pushed: what would not fit into an address, with the assertion by which the client proves itself. */
export const pushedRequestMaxBytes = 32 * 1024

export const buildRequestUri = (handle: Secret): string => `${requestUriPrefix}${handle.reveal()}`

/** Whether it names a request that was pushed, rather than a document elsewhere, which is not supported. */
export const isPushedRequestUri = (requestUri: string): boolean => requestUri.startsWith(requestUriPrefix)

/** `undefined`: none of ours looks like that. 256 bits in base64url. */
export function parseRequestUri(requestUri: string): Secret | undefined {
  const handle = isPushedRequestUri(requestUri) ? requestUri.slice(requestUriPrefix.length) : ''
  return /^[A-Za-z0-9_-]{43}$/.test(handle) ? new Secret(handle) : undefined
}

/**
 * What is asked for, and nothing else: neither what proves the client at this request (RFC 9126 §2.1) nor what nobody here knows, which could be a
 * credential of any kind, rests anywhere. The client is the one that has proven itself, whether or not the form names it.
 */
export function parametersOfPush(
  form: Readonly<Record<string, string>>,
  clientId: string,
): Result<Readonly<Record<string, string>>, { readonly reason: 'pushed_request_nested' }> {
  if ('request_uri' in form) return err({ reason: 'pushed_request_nested' })
  return ok(
    ownMembers({ ...Object.fromEntries(Object.entries(form).filter(([name]) => isAuthorizationParameter(name))), client_id: clientId }),
  )
}

/**
 * Binds what is asked for to the key that was proved with the push, as if the client had named it.
 *
 * @spec RFC 9449 §10.1 of a proof and dpop_jkt both name one key
 */
export function bindPush(
  parameters: Readonly<Record<string, string>>,
  key: ProvenKey | undefined,
): Result<Readonly<Record<string, string>>, { readonly reason: 'dpop_proof_of_other_key' }> {
  if (key === undefined) return ok(parameters)
  const named = parameters['dpop_jkt']
  if (named !== undefined && named !== '' && named !== key.thumbprint) return err({ reason: 'dpop_proof_of_other_key' })
  return ok(ownMembers({ ...parameters, dpop_jkt: key.thumbprint }))
}

const stored = z.record(z.string(), z.string())

/** As it was stored. `undefined`: not by us. */
export function pushedParametersFromJson(json: unknown): Readonly<Record<string, string>> | undefined {
  const parsed = stored.safeParse(json)
  return parsed.success ? ownMembers(parsed.data) : undefined
}

/** Without a prototype, as a form is: `constructor` is a parameter like any other. */
const ownMembers = (members: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.assign(Object.create(null) as Record<string, string>, members)

/** Who says that requests must be pushed: the tenant, of all of its clients, or the client, of its own. RFC 9126 §5, §6 */
export const mustBePushed = (
  tenant: { readonly requirePushedRequests: boolean },
  client: { readonly requirePushedAuthorizationRequests?: boolean | undefined },
): boolean => tenant.requirePushedRequests || client.requirePushedAuthorizationRequests === true

/**
 * Client authentication, shared by every endpoint that asks for it: exactly one method, the one the client registered.
 *
 * Basic and post are told apart but interchangeable for a client with a secret, because libraries differ in which they prefer and
 * neither is stronger. Unknown client, wrong secret and wrong method get one and the same answer.
 */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { fromSeconds, toSeconds } from '@drawbridge/core/instant'
import type { Client, ProvenClient } from '@drawbridge/core/oauth/client'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import { believeOnce } from '@drawbridge/store/replays'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { SingleValuedForm } from '../http/form.js'
import { type ResolvedTenant } from '../http/tenant.js'
import { resolveClient } from './resolve-client.js'

type Presented =
  | { readonly method: 'none'; readonly clientId: string }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientId: string; readonly secret: string }
  | { readonly method: 'private_key_jwt'; readonly clientId: string; readonly assertion: string }

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const limits = { assertionLength: 8192, assertionLifeSeconds: 600, skewSeconds: 30, clientIdLength: 2048, secretLength: 512 } as const

/** @spec RFC 6749 §2.3 client authentication, §5.2 invalid_client */
export async function authenticateClient(
  deps: BrokerDeps,
  http: Pick<HttpRequest, 'headers'>,
  form: SingleValuedForm,
  tenant: ResolvedTenant,
): Promise<Result<ProvenClient, JsonRefusal>> {
  const presented = readPresented(http.headers['authorization'], form)
  if (!presented.ok) return presented
  const found = await resolveClient(deps, tenant, presented.value.clientId, 'token')
  if (!found.ok) return err({ reason: 'client_authentication_unknown_client', detail: { why: found.error.reason } })
  const client = found.value
  if (client.blockedAt !== undefined) return err({ reason: 'client_authentication_blocked' })
  const refusal = await judge(deps, tenant, client, presented.value)
  return refusal ? err(refusal) : ok(client as ProvenClient)
}

function readPresented(authorization: string | undefined, form: SingleValuedForm): Result<Presented, JsonRefusal> {
  const basic = authorization === undefined ? undefined : readBasic(authorization)
  const ways = [basic !== undefined, form['client_secret'] !== undefined, form['client_assertion'] !== undefined].filter(Boolean).length
  if (ways > 1) return err({ reason: 'client_authentication_twice' })
  if (basic) {
    if (!basic.ok) return basic
    const named = form['client_id']
    return named === undefined || named === basic.value.clientId ? basic : err({ reason: 'client_authentication_twice' })
  }
  if (form['client_assertion'] !== undefined) return readAssertion(form)
  const clientId = form['client_id']
  if (!clientId || clientId.length > limits.clientIdLength) return err({ reason: 'client_authentication_missing' })
  const secret = form['client_secret']
  return ok(secret === undefined ? { method: 'none', clientId } : { method: 'client_secret_post', clientId, secret })
}

/** SDKs differ in whether they percent-encode: our ids and secrets need none, and a URL as client_id survives decoding. RFC 6749 §2.3.1 */
function readBasic(authorization: string): Result<Extract<Presented, { secret: string }>, JsonRefusal> {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]{1,4096})$/i.exec(authorization)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const schemeColon = /^https?:\/\//.test(text) ? text.indexOf(':', text.indexOf(':') + 1) : text.indexOf(':')
  if (schemeColon <= 0) return err({ reason: 'client_authentication_missing' })
  const clientId = decode(text.slice(0, schemeColon))
  const secret = decode(text.slice(schemeColon + 1))
  return clientId === undefined || secret === undefined
    ? err({ reason: 'client_authentication_missing' })
    : ok({ method: 'client_secret_basic', clientId, secret })
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** client_id may be left out; it is then what the assertion says. RFC 7521 §4.2 */
function readAssertion(form: SingleValuedForm): Result<Presented, JsonRefusal> {
  const assertion = form['client_assertion'] ?? ''
  if (form['client_assertion_type'] !== assertionType || assertion.length > limits.assertionLength)
    return err({ reason: 'client_assertion_invalid' })
  const clientId = form['client_id'] ?? readPart(assertion.split('.')[1])?.['sub']
  return typeof clientId === 'string' && clientId !== ''
    ? ok({ method: 'private_key_jwt', clientId, assertion })
    : err({ reason: 'client_assertion_invalid' })
}

async function judge(deps: BrokerDeps, tenant: ResolvedTenant, client: Client, presented: Presented): Promise<JsonRefusal | undefined> {
  if (presented.method === 'none') return client.authMethod === 'none' ? undefined : { reason: 'client_authentication_method' }
  if (presented.method === 'private_key_jwt') {
    return client.authMethod === 'private_key_jwt'
      ? judgeAssertion(deps, tenant, client, presented.assertion)
      : { reason: 'client_authentication_method' }
  }
  if (!client.authMethod.startsWith('client_secret_') || !client.secretHash) return { reason: 'client_authentication_method' }
  const right = presented.secret.length <= limits.secretLength && sameHash(hashCredential(presented.secret), client.secretHash)
  return right ? undefined : { reason: 'client_secret_wrong' }
}

/** @spec RFC 7523 §3 iss, sub, aud, exp, jti; aud is our issuer, RFC 7523bis §4 */
async function judgeAssertion(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  client: Client,
  assertion: string,
): Promise<JsonRefusal | undefined> {
  const claims = verifyAssertion(assertion, client.jwks)
  if (!claims) return { reason: 'client_assertion_invalid', detail: { why: 'signature' } }
  const now = toSeconds(deps.clock.now())
  const { iss, sub, aud, exp, nbf, jti } = claims
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (iss !== client.id || sub !== client.id) return { reason: 'client_assertion_invalid', detail: { why: 'client' } }
  if (audiences.length !== 1 || audiences[0] !== tenant.issuer.url)
    return { reason: 'client_assertion_invalid', detail: { why: 'audience' } }
  if (typeof exp !== 'number' || now >= exp + limits.skewSeconds || exp > now + limits.assertionLifeSeconds)
    return { reason: 'client_assertion_invalid', detail: { why: 'time' } }
  if (nbf !== undefined && (typeof nbf !== 'number' || now < nbf - limits.skewSeconds))
    return { reason: 'client_assertion_invalid', detail: { why: 'time' } }
  if (typeof jti !== 'string' || jti === '') return { reason: 'client_assertion_invalid', detail: { why: 'jti' } }
  const once = await believeOnce(onHotPath(deps.database), tenant.id, {
    scopeId: tenant.issuer.id,
    kind: 'client_assertion',
    id: JSON.stringify([client.id, jti]),
    expiresAt: fromSeconds(exp + limits.skewSeconds),
  })
  return once ? undefined : { reason: 'client_assertion_replayed' }
}

/** Another kind of message that the same key signed is no assertion; libraries of before RFC 7523bis send `JWT` or nothing. RFC 8725 §3.11 */
const assertionTypes: readonly unknown[] = ['client-authentication+jwt', 'JWT', undefined]

/** The algorithm is a property of the key: a token never chooses how it is checked. RFC 8725 §3.1 */
function verifyAssertion(assertion: string, jwks: unknown): Readonly<Record<string, unknown>> | undefined {
  const [head, body, signature, ...rest] = assertion.split('.')
  const header = readPart(head)
  const claims = readPart(body)
  if (!header || !claims || !signature || rest.length > 0 || 'crit' in header || !assertionTypes.includes(header['typ'])) return undefined
  const signed = Buffer.from(`${head}.${body}`, 'ascii')
  const keys = ((jwks as { keys?: unknown } | undefined)?.keys ?? []) as readonly (JsonWebKey & { kid?: string; use?: string })[]
  const candidates = keys.filter(
    (key) => (header['kid'] === undefined || key.kid === header['kid']) && key.use !== 'enc' && algorithmOf(key) === header['alg'],
  )
  return candidates.some((key) => verifies(key, signed, Buffer.from(signature, 'base64url'))) ? claims : undefined
}

const algorithmOf = (key: JsonWebKey): string | undefined =>
  key.kty === 'EC' && key.crv === 'P-256'
    ? 'ES256'
    : key.kty === 'RSA'
      ? 'RS256'
      : key.kty === 'OKP' && key.crv === 'Ed25519'
        ? 'EdDSA'
        : undefined

function verifies(jwk: JsonWebKey, signed: Buffer, signature: Buffer): boolean {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if (jwk.kty === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return false
    if (jwk.kty === 'OKP') return verify(null, signed, key, signature)
    return verify('sha256', signed, jwk.kty === 'EC' ? { key, dsaEncoding: 'ieee-p1363' } : key, signature)
  } catch {
    return false
  }
}

function readPart(part: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

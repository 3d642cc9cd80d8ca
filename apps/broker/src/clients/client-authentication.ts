/**
 * Client authentication, shared by every endpoint that asks for it: exactly one method, the one the client registered.
 *
 * Basic and post are told apart but interchangeable for a client with a secret, because libraries differ in which they prefer and
 * neither is stronger. Unknown client, wrong secret, wrong method and wrong assertion get one and the same answer.
 *
 * One thing is told apart, to whoever asks: a client whose keys cannot be read from their address now hears 503, not 401, because libraries
 * forget a registration for which they hear 401. A stranger learns of it that this client is known here and has its keys at an address,
 * and about when that was last asked. The authorization endpoint tells him the first of any client but one that describes itself; of that
 * one he learns that somebody of this tenant has met it. He learns nothing of why the address failed, and gets nothing by it.
 */
import type { Instant } from '@drawbridge/core/instant'
import { isKeepable } from '@drawbridge/core/keepable-text'
import { type Client, isVouchedForItself, type ProvenClient } from '@drawbridge/core/oauth/client'
import { mayReadKeys } from '@drawbridge/core/oauth/client-registration'
import { isLiving } from '@drawbridge/core/oauth/client-secret'
import type { JsonRefusal, PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ReadJwt } from '@drawbridge/crypto/foreign-jwt'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import { believeOnce } from '@drawbridge/store/replays'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { SingleValuedForm } from '../http/form.js'
import { type IssuerLimit, limitAt } from '../http/limit-at.js'
import type { ResolvedTenant } from '../http/tenant.js'
import {
  badKeyAddress,
  badSignature,
  clientAssertionLimits,
  createSignatureJudge,
  mayBeOfNewerKey,
  readClientAssertion,
  type SignatureJudge,
  subjectOfAssertion,
  type VerifiedAssertion,
} from './client-assertion.js'
import { certificateReader, findFaultOfCertificate } from './client-certificate.js'
import { clientKeysOf, type KeysMissing } from './client-keys.js'
import { type ResolvePurpose, recallClient, resolveClient, type Spend } from './resolve-client.js'

type Presented =
  | { readonly method: 'none'; readonly clientId: string }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientId: string; readonly secret: string }
  | { readonly method: 'private_key_jwt'; readonly clientId: string; readonly assertion: string }

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const limits = { clientIdLength: 2048, secretLength: 512 } as const

/** What ends something is not held up by strangers who ask for something. */
type LimitOfUnproven = Extract<IssuerLimit, 'tenant_unproven' | 'tenant_unproven_revocation'>

/** One request's claim to be a client. It may be judged several times; its assertion counts as one use. */
export type ClientClaim = {
  readonly presented: Presented
  readonly tenant: ResolvedTenant
  /** What begins an authorization may meet a client that describes itself for the first time. */
  readonly purpose: ResolvePurpose
  /** By which it is counted who has a document fetched. */
  readonly spend: Spend | undefined
  /** By which those are counted who may be nobody. */
  readonly limitOfUnproven: LimitOfUnproven
  /** What its assertion spends before its signature is looked at, and before it is written down as used: once each, however often the request is judged. */
  readonly limitOfAssertion: (client: Client, before: 'signature' | 'use') => JsonRefusal | undefined
  /** Whether this request is the first to bring the assertion: asked of the database once, however often the request is judged. */
  readonly isFirstUse: (assertion: VerifiedAssertion) => Promise<boolean>
  /** Asks no key of its assertion twice, however often the request is judged. */
  readonly isSignedBy: SignatureJudge
  /** What the proxy says of the client's certificate. */
  readonly certificate: ReturnType<typeof certificateReader>
}

export function readClientClaim(
  deps: BrokerDeps,
  http: Pick<HttpRequest, 'headers'> & Partial<Pick<HttpRequest, 'spend'>>,
  form: SingleValuedForm,
  tenant: ResolvedTenant,
  { purpose = 'token', limitOfUnproven = 'tenant_unproven' }: Partial<Pick<ClientClaim, 'purpose' | 'limitOfUnproven'>> = {},
): Result<ClientClaim, JsonRefusal> {
  const presented = readPresented(http.headers['authorization'], form)
  if (!presented.ok) return presented
  // Decoded from Basic or out of a JWT, it can be text under which nothing is ever stored, and of which PostgreSQL makes a fault.
  if (!isKeepable(presented.value.clientId)) return err({ reason: 'client_authentication_unknown_client' })
  let firstUse: Promise<boolean> | undefined
  const isFirstUse = ({ jti, rememberUntil }: VerifiedAssertion) =>
    (firstUse ??= believeOnce(onHotPath(deps.database), tenant.signer.tenantId, {
      // Once at the whole front, whichever tenant is meant.
      scopeId: tenant.signer.id,
      kind: 'client_assertion',
      id: JSON.stringify([presented.value.clientId, jti]),
      expiresAt: rememberUntil,
    }))
  return ok({
    presented: presented.value,
    tenant,
    purpose,
    spend: http.spend,
    limitOfUnproven,
    limitOfAssertion: createAssertionLimit(http.spend, tenant),
    isFirstUse,
    isSignedBy: createSignatureJudge(),
    certificate: certificateReader(deps.settings, http),
  })
}

/** A signature costs the most of what a stranger can have us do, and a use is a row. Of a client that an admin vouches for, its own uses alone are counted. */
function createAssertionLimit(spend: Spend | undefined, tenant: ResolvedTenant): ClientClaim['limitOfAssertion'] {
  const said = new Map<'signature' | 'use', JsonRefusal | undefined>()
  return (client, before) => {
    if (before === 'signature' && isVouchedForItself(client)) return undefined
    if (said.has(before)) return said.get(before)
    const limited =
      before === 'signature'
        ? spend?.(limitAt(tenant, 'tenant_unvouched_assertion'), tenant.id)
        : spend?.(limitAt(tenant, 'client_assertion'), `${tenant.id} ${tenant.issuer.id} ${client.id}`)
    const refusal = limited && busyBy(limited)
    said.set(before, refusal)
    return refusal
  }
}

/**
 * Proves a client by what it presents. With `memory` the client may be one that this process remembers: then whatever is done for it must be
 * guarded by its version. Nobody is refused from memory: another process may just have unblocked it or given it a new secret.
 *
 * @spec RFC 6749 §2.3 client authentication, §5.2 invalid_client
 */
export async function authenticateClient(
  deps: BrokerDeps,
  claim: ClientClaim,
  from: 'memory' | 'database',
): Promise<Result<ProvenClient, JsonRefusal>> {
  const { clientId } = claim.presented
  const remembered = from === 'memory' ? recallClient(deps, claim.tenant, clientId) : undefined
  const believed = remembered && (await judge(deps, remembered, claim))
  if (believed?.ok) return believed
  const limited = from === 'memory' ? findLimit(claim) : undefined
  if (limited) return err(limited)
  const found = await resolveClient(deps, claim.tenant, clientId, claim.purpose, claim.spend)
  if (!found.ok) return err(unresolved(found.error))
  return judge(deps, found.value, claim)
}

/** Of whoever this process does not know to be what he says: that he would be looked up is what it costs. ADR 110 */
function findLimit({ spend, limitOfUnproven, tenant }: ClientClaim): JsonRefusal | undefined {
  const limited = spend?.(limitAt(tenant, limitOfUnproven), tenant.id)
  return limited && busyBy(limited)
}

const busyBy = ({ headers }: Answer): JsonRefusal => ({
  reason: 'client_authentication_busy',
  detail: { why: 'limit', retryAfterSeconds: Number(headers?.['retry-after'] ?? 1) },
})

/** Why a client could not be found, to whoever would authenticate. */
export const unresolved = ({ reason, detail = {} }: PageRefusal): JsonRefusal =>
  reason === 'client_document_busy'
    ? { reason: 'client_authentication_busy', detail }
    : { reason: 'client_authentication_unknown_client', detail: { why: reason } }

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
  if (form['client_assertion_type'] !== assertionType || assertion.length > clientAssertionLimits.length)
    return err({ reason: 'client_assertion_invalid' })
  const clientId = form['client_id'] ?? subjectOfAssertion(assertion)
  return typeof clientId === 'string' && clientId !== ''
    ? ok({ method: 'private_key_jwt', clientId, assertion })
    : err({ reason: 'client_assertion_invalid' })
}

async function judge(deps: BrokerDeps, client: Client, claim: ClientClaim): Promise<Result<ProvenClient, JsonRefusal>> {
  const { presented } = claim
  if (client.blockedAt !== undefined) return err({ reason: 'client_authentication_blocked' })
  if ('secret' in presented) return judgeSecret(client, presented.secret, deps.clock.now())
  const fault =
    'assertion' in presented ? await findFaultOfAssertion(deps, client, claim, presented.assertion) : findFaultOfName(deps, client, claim)
  return fault ? err(fault) : ok(client as ProvenClient)
}

/** Each of its secrets is compared, in a time that says nothing of which it was. */
function judgeSecret(client: Client, secret: string, now: Instant): Result<ProvenClient, JsonRefusal> {
  if (!client.authMethod.startsWith('client_secret_') || client.secrets.length === 0) return err({ reason: 'client_authentication_method' })
  if (secret.length > limits.secretLength) return err({ reason: 'client_secret_wrong' })
  const shown = hashCredential(secret)
  const secretUsed = client.secrets.filter((each) => sameHash(shown, each.hash))[0]
  if (secretUsed === undefined) return err({ reason: 'client_secret_wrong' })
  return isLiving(secretUsed, now) ? ok({ ...client, secretUsed } as ProvenClient) : err({ reason: 'client_secret_lapsed' })
}

/** It says its name alone: enough for a public client, and for one whose certificate the connection was made with. RFC 8705 §2 */
function findFaultOfName({ clock }: BrokerDeps, client: Client, { certificate }: ClientClaim): JsonRefusal | undefined {
  if (client.authMethod === 'tls_client_auth') return findFaultOfCertificate(client, certificate(), clock.now())
  return client.authMethod === 'none' ? undefined : { reason: 'client_authentication_method' }
}

async function findFaultOfAssertion(
  deps: BrokerDeps,
  client: Client,
  claim: ClientClaim,
  assertion: string,
): Promise<JsonRefusal | undefined> {
  if (client.authMethod !== 'private_key_jwt') return { reason: 'client_authentication_method' }
  const read = readClientAssertion(client, assertion, { audience: claim.tenant.issuer.url, now: deps.clock.now() })
  if (!read.ok) return read.error
  const fault =
    claim.limitOfAssertion(client, 'signature') ??
    (await findFaultOfSignature(deps, client, claim, read.value.jwt)) ??
    claim.limitOfAssertion(client, 'use')
  if (fault) return fault
  return (await claim.isFirstUse(read.value)) ? undefined : { reason: 'client_assertion_replayed' }
}

/** Keys at an address are asked for once more, within limits, for a signature that none of the known ones made. */
async function findFaultOfSignature(
  deps: BrokerDeps,
  client: Client,
  { tenant, isSignedBy }: ClientClaim,
  jwt: ReadJwt,
): Promise<JsonRefusal | undefined> {
  const { jwksUri } = client
  if (jwksUri === undefined) return isSignedBy(jwt, client.jwks) ? undefined : badSignature.error
  if (!mayReadKeys(tenant.clientRegistration, client)) return badKeyAddress.error
  const keys = clientKeysOf(deps.fetchSafely)
  const now = deps.clock.now()
  const known = await keys.read(client, jwksUri, now)
  if (!known.ok) return missing(known.error)
  if (isSignedBy(jwt, known.value)) return undefined
  if (!mayBeOfNewerKey(jwt, known.value)) return badSignature.error
  const newer = await keys.readAgain(client, jwksUri, now)
  if (!newer.ok) return missing(newer.error)
  return isSignedBy(jwt, newer.value) ? undefined : badSignature.error
}

const missing = ({ why, retryAfterSeconds }: KeysMissing): JsonRefusal => ({
  reason: 'client_keys_unreachable',
  detail: { why, retryAfterSeconds },
})

/**
 * Which resource server is calling: its credential in HTTP Basic, or as a bearer token, which is what receivers of other makers have a field for. It is
 * good at every issuer that may mint for the resource.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type SignalErrorReason, signalErrors } from '@drawbridge/core/signals/error'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import type { Database } from '@drawbridge/store/database'
import { findResourceCredentialAcrossTenants, type ProvenResource, type StreamIssuer } from '@drawbridge/store/notice-streams'
import { acrossTenantsInOneStatement } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type EndpointDefinition, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import { isProvenLately, noteProven, noteUnproven, type Presenting } from '../http/proven-callers.js'
import { createRounds, type Rounds } from '../http/rounds.js'
import { refuseAsJson } from '../http/write-error.js'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Id and secret, joined by a dot. */
const bearer = /^Bearer +([0-9a-f-]{36})\.([A-Za-z0-9_-]{1,1024})$/i
const basic = /^Basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i

/** Who calls, and by which of its credentials. */
export type ProvenReceiver = ProvenResource & { readonly credentialId: string }

/** The one refusal that challenges: @spec RFC 7617 §2, RFC 6750 §3 */
export function refuseSignal(reason: SignalErrorReason, retryAfter?: string): Answer {
  const entry = signalErrors[reason]
  if (retryAfter !== undefined) return refuseAsJson(entry, { reason }, { headers: { 'retry-after': retryAfter } })
  const headers: Readonly<Record<string, string>> =
    entry.status === 401 ? { 'www-authenticate': 'Basic realm="drawbridge", charset="UTF-8", Bearer realm="drawbridge"' } : {}
  return refuseAsJson(entry, { reason }, { headers })
}

/** @spec RFC 6749 §2.3.1: both halves are form-urlencoded before Basic */
function readBasic(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = basic.exec(header ?? '')?.[1]
  const [id, secret, ...rest] = encoded === undefined ? [] : Buffer.from(encoded, 'base64').toString('utf8').split(':')
  if (id === undefined || secret === undefined || rest.length > 0) return undefined
  try {
    return { id: decodeURIComponent(id), secret: decodeURIComponent(secret) }
  } catch {
    return undefined
  }
}

/** @spec RFC 6750 §2.1 */
function readBearer(header: string | undefined): { id: string; secret: string } | undefined {
  const [, id, secret] = bearer.exec(header ?? '') ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

const readCredential = ({ headers }: Pick<HttpRequest, 'headers'>) =>
  readBasic(headers['authorization']) ?? readBearer(headers['authorization'])

/** Whoever has proven himself lately counts for himself, whatever else comes from his address. */
export const ofResourceServers = {
  authorize: admitResource,
  addressLimit: 'resource_server_address',
  sparesAddress: (caller: Presenting, deps: BrokerDeps) => isProvenLately(deps, caller),
} as const satisfies Partial<EndpointDefinition<never, ProvenReceiver>>

async function admitResource(http: HttpRequest, deps: BrokerDeps): Promise<Result<ProvenReceiver, Answer>> {
  // Whoever presents nothing costs nothing, and takes nobody's turn.
  if (readCredential(http) === undefined) return err(refuseSignal('resource_credential_missing'))
  const tenant = tenantOf(http)
  const stranger = isProvenLately(deps, http) ? undefined : http.spend(limitAt(tenant, 'tenant_unproven_signals'), tenant.id)
  if (stranger) return err(stranger)
  const proven = await proveResource(http, deps)
  const limited = proven.ok ? http.spend('resource_server', `${tenant.id} ${tenant.issuer.id} ${proven.value.credentialId}`) : undefined
  return limited === undefined ? proven : err(limited)
}

/** Each time anew, also at the end of a long wait. Takes from no limit. */
export async function proveResource(http: HttpRequest, deps: BrokerDeps): Promise<Result<ProvenReceiver, Answer>> {
  const proven = await proveByCredential(http, deps)
  if (proven.ok) noteProven(deps, http, proven.value.credentialId)
  else noteUnproven(deps, http)
  return proven
}

async function proveByCredential(http: HttpRequest, deps: BrokerDeps): Promise<Result<ProvenReceiver, Answer>> {
  const presented = readCredential(http)
  if (presented === undefined) return err(refuseSignal('resource_credential_missing'))
  if (!uuid.test(presented.id)) return err(refuseSignal('resource_credential_unknown'))
  const found = await findCredential(deps, { issuer: streamIssuerOf(http), credentialId: presented.id })
  if (found === undefined) return err(refuseSignal('resource_credential_unknown'))
  if (!sameHash(found.secretHash, hashCredential(presented.secret))) return err(refuseSignal('resource_credential_wrong'))
  return ok({ tenantId: found.tenantId, resourceId: found.resourceId, identifier: found.identifier, credentialId: presented.id })
}

type Asked = { readonly issuer: StreamIssuer; readonly credentialId: string }
type Found = Awaited<ReturnType<typeof findResourceCredentialAcrossTenants>>
const mostOfRound = 1000
const byDatabase = new WeakMap<Database, Rounds<undefined, Found>>()

/** Asked anew for every call, and once for all that come at the same time: nobody is believed by what was read before he called. */
function findCredential({ database, clock }: BrokerDeps, asked: Asked): Promise<Found> {
  const rounds = byDatabase.get(database) ?? createRounds({ mostOfRound })
  byDatabase.set(database, rounds)
  return rounds.ask(`${asked.issuer.tenantId} ${asked.issuer.id} ${asked.credentialId}`, undefined, async (callers) => {
    const found = await acrossTenantsInOneStatement(database, (db) =>
      findResourceCredentialAcrossTenants(db, { ...asked, now: clock.now() }),
    )
    return callers.map(() => found)
  })
}

/** A stream belongs to the issuer at whose address it was opened. */
export function streamIssuerOf(http: HttpRequest): StreamIssuer {
  const tenant = tenantOf(http)
  return { tenantId: tenant.id, id: tenant.issuer.id }
}

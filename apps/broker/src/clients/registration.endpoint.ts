/**
 * A client that registered itself looks at its registration, replaces it, or ends it. RFC 7592.
 *
 * Only its registration access token opens this: 256 bits, kept as a hash, another one after every replacement. Clients of admins and those that
 * describe themselves have none. Whoever comes without the right one hears the same whether the client exists or not.
 */
import type { Instant } from '@drawbridge/core/instant'
import { isLiving } from '@drawbridge/core/oauth/client-secret'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { RegistrationRequest } from '@drawbridge/core/oauth/registration-request'
import {
  changedMembers,
  isAnotherClient,
  parseRegistrationUpdate,
  type RegistrationUpdate,
} from '@drawbridge/core/oauth/registration-update'
import { subjectTypeOf } from '@drawbridge/core/oauth/subject-type'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId, CredentialHash, DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { findRegistration, markUnregistered, type Registration, replaceRegistration } from '@drawbridge/store/dynamic-clients'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import { refuseAsJson } from '../http/write-error.js'
import { offerOf } from './client-certificate.js'
import { clientFetchesOf } from './client-fetches.js'
import { buildRegistrationAnswer, refuseSector, type ShownSecret } from './registration-answer.js'
import { checkSectorDocument, sectorIdentifierOf } from './sector.js'
import { blame, readStated, refuseBlamed, refuseStatement } from './software-statement.js'

/** Proven by its token, which is worth something until the next replacement. */
type Owner = Registration & { readonly token: string }
type Reason =
  | 'registration_token_missing'
  | 'registration_token_invalid'
  | 'registration_blocked'
  | 'registration_closed'
  | 'registration_update_malformed'

const bearer = /^Bearer +(\S{1,512})$/i
const noStore = { headers: { 'cache-control': 'no-store' } }

/** @spec RFC 7592 §2 401 to whoever is not the owner; RFC 6750 §3.1 who presents nothing is told no error */
function refuse(reason: Reason, detail?: Readonly<Record<string, string>>): Answer {
  const entry = oauthErrors[reason]
  const error = reason === 'registration_token_missing' ? '' : `, error="${entry.code}"`
  const headers = entry.status === 401 ? { 'www-authenticate': `Bearer realm="drawbridge"${error}` } : undefined
  return refuseAsJson(entry, detail ? { reason, detail } : { reason }, headers ? { headers } : {})
}

async function authorize(http: HttpRequest, deps: BrokerDeps): Promise<Result<Owner, Answer>> {
  const tenant = tenantOf(http)
  const authorization = http.headers['authorization']
  if (authorization === undefined) return err(refuse('registration_token_missing'))
  const token = bearer.exec(authorization)?.[1]
  const id = (http.params['client'] ?? '') as ClientId
  if (token === undefined) return err(refuse('registration_token_invalid'))
  const limited = http.spend(limitAt(tenant, 'tenant_registration'), tenant.id)
  if (limited) return err(limited)
  const which = { issuerId: tenant.issuer.id, id }
  const found = await inTenant(deps.database, tenant.id, (db) => findRegistration(db, tenant.id, which))
  return found && sameHash(hashCredential(token), found.tokenHash) ? ok({ ...found, token }) : err(refuse('registration_token_invalid'))
}

const common = {
  path: '/t/:tenant/register/:client',
  cors: true,
  tag: 'OAuth',
  permission: 'registration access token (Bearer)',
  authorize,
} as const

/** The secret is kept as a hash and cannot be shown again; whoever lost it replaces the registration without naming it. */
const read = endpoint<undefined, Owner>({
  ...common,
  method: 'GET',
  spec: 'RFC 7592 §2.1',
  summary: 'Shows a client that registered itself what it is registered as',
  run: (http) => {
    const { client, token, software } = http.caller
    const metadata: RegistrationRequest = {
      ...client,
      jwksUri: client.jwksUri,
      certificateName: client.certificateName,
      logoUri: client.logoUri,
      backchannelLogoutUri: client.backchannelLogoutUri,
      backchannelLogoutSessionRequired: client.backchannelLogoutSessionRequired ?? false,
      dpopBoundAccessTokens: client.dpopBoundAccessTokens ?? false,
      subjectType: subjectTypeOf(client),
      sectorIdentifierUri: client.sectorIdentifierUri,
      requirePushedAuthorizationRequests: client.requirePushedAuthorizationRequests ?? false,
    }
    return json(buildRegistrationAnswer(tenantOf(http), { id: client.id, metadata, registrationToken: token, software }), noStore)
  },
})

type Secret = {
  readonly shown: ShownSecret | undefined
  readonly hash: CredentialHash | undefined
  /** It is one that the client has. */
  readonly isKept: boolean
}

/** Undefined: the client names a secret that it does not have. RFC 7592 §2.2 */
function secretAfter({ client }: Owner, { metadata, keptSecret }: RegistrationUpdate, deps: BrokerDeps): Secret | undefined {
  const hash = keptSecret === undefined ? undefined : hashCredential(keptSecret)
  const kept = hash && client.secrets.find((secret) => sameHash(hash, secret.hash) && isLiving(secret, deps.clock.now()))
  if (hash && !kept) return undefined
  if (!metadata.authMethod.startsWith('client_secret_')) return { shown: undefined, hash: undefined, isKept: false }
  if (kept && keptSecret !== undefined) return { shown: { secret: keptSecret, expiresAt: kept.expiresAt }, hash: kept.hash, isKept: true }
  const secret = deps.random.token()
  return { shown: { secret, expiresAt: undefined }, hash: hashCredential(secret), isKept: false }
}

/**
 * What an admin said of the client stays, but for an approval of something else. With other redirect URIs, or another way to prove itself, it is
 * another client to policy and to persons: what the former one held dies. That is counted for the client, or one that somebody uses could be ended, and told of,
 * without end.
 */
const replace = endpoint<undefined, Owner>({
  ...common,
  method: 'PUT',
  spec: 'RFC 7592 §2.2',
  summary: 'Replaces what a client that registered itself says of itself, and its registration access token',
  rateLimit: 'register',
  tenantLimit: 'tenant_register',
  maxBodyBytes: 32 * 1024,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { client, tokenHash } = http.caller
    if (!tenant.clientRegistration.dynamic) return refuse('registration_closed')
    if (client.blockedAt !== undefined) return refuse('registration_blocked')
    const now = deps.clock.now()
    const body = http.json.ok ? http.json.value : undefined
    const stated = await readStated(deps, tenant, { body, before: http.caller.software, now })
    if (!stated.ok) return refuseStatement(stated.error)
    const parsed = parseRegistrationUpdate(stated.value.body, client.id, offerOf(deps))
    if (!parsed.ok) return refuseBlamed(blame(parsed.error, stated.value))
    const { software } = stated.value
    const { metadata } = parsed.value
    const secret = secretAfter(http.caller, parsed.value, deps)
    if (!secret) return refuse('registration_update_malformed', { field: 'client_secret' })
    const sector = await checkSectorDocument(clientFetchesOf(deps.fetchSafely).ofStrangers, metadata)
    if (!sector.ok) return refuseSector(sector.error)
    const registrationToken = deps.random.token()
    const draft = {
      ...client,
      ...metadata,
      sectorIdentifier: sectorIdentifierOf(tenant, { ...metadata, id: client.id, kind: client.kind }, client),
      secretHash: secret.hash,
      registrationTokenHash: hashCredential(registrationToken),
      software,
      now,
    }
    const limited = isAnotherClient(changedMembers(client, draft))
      ? http.spend('registration_barrier', `${tenant.id} ${client.id}`)
      : undefined
    if (limited) return limited
    const gone = await inTenant(deps.database, tenant.id, async (db) => {
      const kept = secret.isKept ? secret.hash : undefined
      const replaced = await replaceRegistration(db, tenant.id, { token: tokenHash, kept, draft })
      if (typeof replaced === 'string') return replaced
      const changed = changedMembers(replaced.before, replaced.client)
      await tell(db, http, { kind: 'client.registration_changed', detail: { changed }, now })
      if (isAnotherClient(changed)) await raiseBarrier(db, http, deps, { reason: 'registration_changed', deactivate: false })
      return undefined
    })
    if (gone === 'secret_gone') return refuse('registration_update_malformed', { field: 'client_secret' })
    if (gone === 'token_gone') return refuse('registration_token_invalid')
    const shown = { ...metadata, subjectType: subjectTypeOf(draft) }
    return json(
      buildRegistrationAnswer(tenant, { id: client.id, metadata: shown, registrationToken, secret: secret.shown, software }),
      noStore,
    )
  },
})

/** Neither a block nor a closed way stands before it: it only takes away. */
const end = endpoint<undefined, Owner>({
  ...common,
  method: 'DELETE',
  spec: 'RFC 7592 §2.3',
  summary: 'Ends the registration of a client that registered itself, and everything it holds',
  run: async (http, deps) => {
    const { client, tokenHash } = http.caller
    const now = deps.clock.now()
    const isEnded = await inTenant(deps.database, client.tenantId, async (db) => {
      if (!(await markUnregistered(db, client.tenantId, client, { token: tokenHash, now }))) return false
      await tell(db, http, { kind: 'client.registration_ended', reason: 'asked_by_client', now })
      await raiseBarrier(db, http, deps, { reason: 'registration_ended', deactivate: true })
      return true
    })
    return isEnded ? empty(204, noStore) : refuse('registration_token_invalid')
  },
})

type Told = Pick<Parameters<typeof insertAuditEvent>[2], 'kind' | 'reason' | 'detail'> & { readonly now: Instant }

const tell = (db: Db, { caller, requestId, address }: HttpRequest<unknown, Owner>, { now, ...told }: Told): Promise<void> =>
  insertAuditEvent(db, caller.client.tenantId, {
    ...told,
    at: now,
    issuerId: caller.client.issuerId,
    clientId: caller.client.id,
    requestId,
    address,
  })

const raiseBarrier = (
  db: Db,
  { caller, requestId }: HttpRequest<unknown, Owner>,
  deps: BrokerDeps,
  why: { readonly reason: string; readonly deactivate: boolean },
): Promise<unknown> =>
  deprovision(db, {
    ...why,
    tenant: caller.client.tenantId,
    eventId: deps.random.uuid() as DeprovisioningEventId,
    source: 'registration',
    target: 'client',
    targetId: caller.client.id,
    toldAt: undefined,
    now: deps.clock.now(),
    requestId,
  })

export const registrationEndpoints = [read, replace, end] as const

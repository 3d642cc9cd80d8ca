/**
 * At the front issuer: from what a person or her application says to the tenant whose the request is from then on.
 *
 * An address leads to the tenant that has proven its domain, any other word to the tenant of that short name. Being led somewhere is no right: who comes back
 * from there is judged as if she had begun there. A request becomes a tenant's exactly once: its row at the front is over in the statement that says so.
 */
import { parseEmailAddress } from '@drawbridge/core/identity/email-address'
import type { Client } from '@drawbridge/core/oauth/client'
import { whyNothingNewAt } from '@drawbridge/core/oauth/client-registration'
import { defaultScopesOf } from '@drawbridge/core/oauth/resource'
import { scopesTold } from '@drawbridge/core/oauth/userinfo'
import { err, ok, type Result } from '@drawbridge/core/result'
import { vendorSlug } from '@drawbridge/core/tenant/ids'
import { hashAtTenant } from '@drawbridge/crypto/hash'
import { endRequestAtFront } from '@drawbridge/store/authorization-requests'
import { findDomainOwnerAcrossTenants } from '@drawbridge/store/domains'
import { moveDeviceToTenant } from '@drawbridge/store/front-devices'
import { onHotPath } from '@drawbridge/store/transaction'
import { meetClient } from '../clients/adopt-client.js'
import { resolveClient } from '../clients/resolve-client.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { limitAt } from '../http/limit-at.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseHttp } from '../http/write-error.js'
import { answerUnaskedWithError, refuseOnPage } from './answer.js'
import { becomeFlowOf, type Flow, findUnanswerable } from './flow.js'
import { refuseUnapproved } from './unapproved.js'

/** Longer than an e-mail address is no word for anybody. */
const longestWord = 320

/** `undefined`: the word leads to nobody, and the request stays as it is. */
export async function becomeTenants(flow: Flow, word: string): Promise<Result<Flow, Answer> | undefined> {
  const { deps, http, pending } = flow
  const tenant = await findMember(deps, word)
  if (!tenant) return undefined
  const limited = http.spend(limitAt(tenant, 'tenant_login'), tenant.id)
  if (limited) return err(limited)
  if (tenant.suspendedAt !== undefined) return err(refuseHttp('page', 'tenant_suspended'))
  if (pending.deviceCodeId !== undefined && !tenant.deviceGrant) return err(refuseOnPage({ reason: 'device_page_off' }))
  const resource = tenant.resource(pending.resource)
  if (!resource) return err(await refuseResource(flow))
  const client = await clientAt(flow, tenant)
  if (!client.ok) return client
  const refused = await refuseAt(flow, tenant, client.value)
  if (refused) return err(refused)
  if (!(await takeDevice(flow, tenant)) || (flow.ongoing.saved && !(await endAtFront(flow, tenant))))
    return err(refuseOnPage({ reason: 'request_expired' }))
  const may = scopesTold(tenant.toldOfPeople)
  const identityScopes = pending.identityScopes.filter((scope) => scope === 'openid' || may.includes(scope))
  // Who named none has the tenant's own.
  const scopes = pending.scopes.length > 0 ? pending.scopes : defaultScopesOf(resource)
  return ok(becomeFlowOf(flow, { tenant, client: client.value, resource, scopes, identityScopes, loginHint: hintFrom(flow, word) }))
}

async function findMember(deps: BrokerDeps, word: string): Promise<ResolvedTenant | undefined> {
  if (word.length > longestWord) return undefined
  const address = parseEmailAddress(word)
  const owner = address && (await findDomainOwnerAcrossTenants(deps.database, address.domain))
  const slug = address ? owner?.tenant.slug : word.trim().toLowerCase()
  return slug === undefined || slug === vendorSlug ? undefined : deps.configuration.find(slug, 'front_member')
}

/** What she typed says where she signs in, too; a short name says nothing of that. */
const hintFrom = ({ pending }: Flow, word: string): string | undefined => (parseEmailAddress(word) ? word : pending.loginHint)

/**
 * One that describes itself is met by every tenant for itself. One that is registered at the front is copied to whoever uses it: not where the tenant lets none
 * like it in, so that nobody is made to keep what may do nothing. One that waits for an approval is kept, for its admin finds it there.
 */
async function clientAt(flow: Flow, tenant: ResolvedTenant): Promise<Result<Client, Answer>> {
  const { deps, http, client } = flow
  if (client.kind === 'metadata_document') {
    const own = await resolveClient(deps, tenant, client.id, 'authorize', http.spend)
    return own.ok ? own : err(refuseOnPage(own.error))
  }
  const met = isShutOut(tenant, client)
    ? await deps.clients.read({ tenantId: tenant.id, issuerId: tenant.issuer.id, id: client.id })
    : await meetClient(flow, tenant, client)
  if (met === undefined) return err(refuseOnPage({ reason: 'client_way_closed' }))
  if (met === 'unknown' || met === 'full') return err(refuseOnPage({ reason: met === 'full' ? 'client_copies_full' : 'client_unknown' }))
  return 'limited' in met ? err(met.limited) : ok(met)
}

/** Whatever the vendor vouches for, no admin of this tenant has, unless the tenant knows it already. */
const isShutOut = (tenant: ResolvedTenant, client: Client): boolean =>
  whyNothingNewAt(tenant, { ...client, preApproved: false, approvedAtFront: client.preApproved }) === 'way_closed'

/** Before the request is over at the front: whoever is refused may go on as another company's, or come again once the client is approved. */
async function refuseAt({ deps, pending }: Flow, tenant: ResolvedTenant, client: Client): Promise<Answer | undefined> {
  const refusal = client.blockedAt === undefined ? findUnanswerable(pending, client) : { reason: 'client_blocked' as const }
  if (refusal) return refuseOnPage(refusal)
  const why = whyNothingNewAt(tenant, client)
  if (why === 'way_closed') return refuseOnPage({ reason: 'client_way_closed' })
  return why && refuseUnapproved(deps, tenant, client)
}

/** The client may be one that this process remembers; it is told by what the database has now, as by every answer that no statement stands behind. */
async function refuseResource({ deps, tenant: front, client, pending }: Flow): Promise<Answer> {
  const present = await deps.clients.read({ tenantId: front.id, issuerId: front.issuer.id, id: client.id })
  if (!present) return refuseOnPage({ reason: 'client_unknown' })
  const refusal = present.blockedAt === undefined ? findUnanswerable(pending, present) : { reason: 'client_blocked' as const }
  return refusal ? refuseOnPage(refusal) : answerUnaskedWithError(front, present, pending, { reason: 'resource_unknown' })
}

/** A device that waits at the front becomes the tenant's, once, before the request does: what ends a request there tells the device no. */
async function takeDevice({ deps, tenant: front, client, pending }: Flow, tenant: ResolvedTenant): Promise<boolean> {
  if (pending.deviceCodeId === undefined) return true
  return moveDeviceToTenant(deps.database, {
    id: pending.deviceCodeId,
    clientId: client.id,
    front: { id: front.id, issuerId: front.issuer.id },
    member: { id: tenant.id, issuerId: tenant.issuer.id, slug: tenant.slug },
    hashAtTenant: (hash) => hashAtTenant(hash, tenant.slug),
    now: deps.clock.now(),
  })
}

const endAtFront = ({ deps, http, tenant: front, ongoing, browserHash, pending, now }: Flow, tenant: ResolvedTenant): Promise<boolean> =>
  endRequestAtFront(onHotPath(deps.database), front.id, {
    ...{ id: ongoing.id, browserHash, now, becomes: tenant.slug, scopes: pending.scopes },
    ...{ requestId: http.requestId, address: http.address },
  })

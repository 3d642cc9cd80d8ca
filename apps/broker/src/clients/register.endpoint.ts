/** Dynamic client registration. Deprecated by MCP in favour of metadata documents; kept for clients that know nothing else. */
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { parseRegistrationRequest } from '@drawbridge/core/oauth/registration-request'
import { subjectTypeOf } from '@drawbridge/core/oauth/subject-type'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { insertDynamicClient, type RegistrationDraft } from '@drawbridge/store/dynamic-clients'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseAsJson } from '../http/write-error.js'
import { offerOf } from './client-certificate.js'
import { clientFetchesOf } from './client-fetches.js'
import { buildRegistrationAnswer, refuseSector } from './registration-answer.js'
import { checkSectorDocument, sectorIdentifierOf } from './sector.js'
import { blame, readStated, refuseBlamed, refuseStatement } from './software-statement.js'

/** @spec RFC 7591 §3.1 request, §3.1.1 software statement, §3.2.1 response */
export const registerEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/register',
  spec: 'RFC 7591 §3',
  summary: 'Registers a client that nobody vouches for; it is announced to the person before she signs in.',
  tag: 'OAuth',
  cors: true,
  rateLimit: 'register',
  tenantLimit: 'tenant_register',
  maxBodyBytes: 32 * 1024,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    if (!tenant.clientRegistration.dynamic) return refuseAsJson(oauthErrors.registration_closed, { reason: 'registration_closed' })
    const now = deps.clock.now()
    const stated = await readStated(deps, tenant, { body: http.json.ok ? http.json.value : undefined, now })
    if (!stated.ok) return refuseStatement(stated.error)
    const parsed = parseRegistrationRequest(stated.value.body, offerOf(deps))
    if (!parsed.ok) return refuseBlamed(blame(parsed.error, stated.value))
    const { software } = stated.value
    const metadata = parsed.value
    const id = `dbd_${deps.random.uuid()}` as ClientId
    const sector = await checkSectorDocument(clientFetchesOf(deps.fetchSafely).ofStrangers, metadata)
    if (!sector.ok) return refuseSector(sector.error)
    const secret = metadata.authMethod.startsWith('client_secret_') ? deps.random.token() : undefined
    const registrationToken = deps.random.token()
    const draft: RegistrationDraft = {
      ...metadata,
      id,
      issuerId: tenant.issuer.id,
      kind: 'dynamic',
      sectorIdentifier: sectorIdentifierOf(tenant, { ...metadata, id, kind: 'dynamic' }),
      secretHash: secret === undefined ? undefined : hashCredential(secret),
      registrationTokenHash: hashCredential(registrationToken),
      preApproved: stated.value.isApproved,
      software,
      scopeCeiling: [],
      accessTokenTtlSeconds: undefined,
      now,
    }
    const { requestId, address } = http
    const registered = await inTenant(deps.database, tenant.id, async (db) => {
      const client = await insertDynamicClient(db, tenant.id, draft)
      const detail = software && { statedBy: software.issuer, softwareId: software.softwareId, approved: draft.preApproved }
      const event = { at: now, kind: 'client_registered', issuerId: tenant.issuer.id, clientId: id, detail, requestId, address } as const
      if (client) await insertAuditEvent(db, tenant.id, event)
      return client
    })
    if (!registered) return refuseAsJson(oauthErrors.registration_full, { reason: 'registration_full' })
    const body = buildRegistrationAnswer(tenant, {
      id,
      metadata: { ...metadata, subjectType: subjectTypeOf(draft) },
      registrationToken,
      secret: secret === undefined ? undefined : { secret, expiresAt: undefined },
      issuedAt: now,
      software,
    })
    return json(body, { status: 201, headers: { 'cache-control': 'no-store' } })
  },
})

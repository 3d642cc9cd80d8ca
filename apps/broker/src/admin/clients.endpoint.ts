/** Clients as an admin governs them: registered beforehand, approved, held to a ceiling, blocked. A kill ends what one holds. */
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId, Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { deleteClient, replaceClientSecret, updateRegistration } from '@drawbridge/store/admin-clients'
import { findClient, insertClient, listClients, updateClientGovernance } from '@drawbridge/store/clients'
import { isScimClient } from '@drawbridge/store/scim-tokens'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { clientFetchesOf } from '../clients/client-fetches.js'
import { checkSectorDocument, sectorIdentifierOf } from '../clients/sector.js'
import { json } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, answerRemoval, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { ofFront, ofMember } from './at-front.js'
import { isSeen, noteTag } from './client-precondition.js'
import { clientShape, governance, newClient, registrationChange, showClient } from './client-shapes.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Clients'
const whichOf = (http: HttpRequest<unknown, unknown>) => ({
  issuerId: tenantOf(http).issuer.id,
  id: (http.params['client'] ?? '') as ClientId,
})

const list = adminList({
  path: '/tenants/:tenant/clients',
  tag,
  summary: 'List clients, by client_id',
  permission: 'configuration:read',
  member: 'clients',
  shown: clientShape,
  position: ['after', 'name'],
  read: (http, deps, page) => {
    const { id, issuer } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listClients(db, id, issuer.id, page))
  },
  show: showClient,
  positionOf: ({ id }) => id,
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/clients/:client',
  tag,
  summary: 'Read a client',
  permission: 'configuration:read',
  answer: clientShape,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { issuerId, id } = whichOf(http)
    const client = await findClient(onHotPath(deps.database), tenantOf(http).id, issuerId, id)
    return client ? json(showClient(client), noteTag(client)) : refuseAdmin('not_found')
  },
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/clients',
  tag,
  summary: 'Register a client beforehand; its secret is shown once',
  permission: 'configuration:write',
  body: newClient,
  status: 201,
  answer: clientShape.extend({ clientSecret: z.string().optional().describe('With client_secret_basic and client_secret_post') }),
  refuses: ['conflict', 'sector_identifier_unusable'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { clientId, tokenEndpointAuthMethod: authMethod, ...body } = http.parsed
    const sector = await checkSectorDocument(clientFetchesOf(deps.fetchSafely).ofVouchedFor, body)
    if (!sector.ok) return refuseAdmin('sector_identifier_unusable', [{ path: 'sectorIdentifierUri', message: sector.error }])
    const secret = authMethod.startsWith('client_secret') ? deps.random.token() : undefined
    const id = (clientId ?? `dbp_${deps.random.uuid()}`) as ClientId
    const client = await inTenant(deps.database, tenant.id, async (db) => {
      const stored = await insertClient(db, tenant.id, {
        ...body,
        id,
        authMethod,
        issuerId: tenant.issuer.id,
        kind: 'preregistered',
        sectorIdentifier: sectorIdentifierOf(tenant, { ...body, id, kind: 'preregistered' }),
        jwks: body.jwks,
        accessTokenTtlSeconds: body.accessTokenTtlSeconds,
        scopeCeiling: body.scopeCeiling as Scope[],
        secretHash: secret === undefined ? undefined : hashCredential(secret),
        now: deps.clock.now(),
      })
      await audit(db, tenant.id, http, deps, {
        kind: 'client.created',
        clientId: id,
        detail: { name: body.name, preApproved: body.preApproved },
      })
      return stored
    })
    return json({ ...showClient(client), ...(secret === undefined ? {} : { clientSecret: secret }) }, { status: 201 })
  },
})

const govern = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant/clients/:client',
  tag,
  summary: 'Approve, limit, block or unblock a client',
  permission: 'configuration:write',
  body: governance,
  answer: clientShape,
  refuses: ['not_found', 'client_document_changed', 'client_changed'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const which = whichOf(http)
    const { scopeCeiling: ceiling, ...say } = http.parsed
    const now = deps.clock.now()
    const after = await inTenant(deps.database, tenant.id, async (db) => {
      if (!(await isSeen(db, http))) return 'client_changed'
      const governed = await updateClientGovernance(db, tenant.id, which, { ...say, scopeCeiling: ceiling as Scope[] | undefined }, now)
      if (governed) await audit(db, tenant.id, http, deps, { kind: 'client.governed', clientId: which.id, detail: { ...http.parsed } })
      return governed
    })
    if (after === 'client_changed') return refuseAdmin(after)
    if (after) return json(showClient(after), noteTag(after))
    const isThere = await findClient(onHotPath(deps.database), tenant.id, which.issuerId, which.id)
    return refuseAdmin(isThere ? 'client_document_changed' : 'not_found')
  },
})

const correct = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant/clients/:client/registration',
  tag,
  summary: 'Correct the name, the redirect URIs or the logout URI of a client that an admin registered; others speak for themselves',
  permission: 'configuration:write',
  body: registrationChange,
  answer: clientShape,
  refuses: ['not_found', 'client_changed'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const which = whichOf(http)
    const found = await inTenant(deps.database, tenant.id, async (db) => {
      if (!(await isSeen(db, http))) return 'client_changed'
      const changed = await updateRegistration(db, tenant.id, which, http.parsed)
      if (changed) await audit(db, tenant.id, http, deps, { kind: 'client.updated', clientId: which.id, detail: { ...http.parsed } })
      return changed
    })
    if (found !== true) return refuseAdmin(found || 'not_found')
    const after = (await findClient(onHotPath(deps.database), tenant.id, which.issuerId, which.id)) as Client
    return json(showClient(after), noteTag(after))
  },
})

const replaceSecret = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/clients/:client/secret',
  tag,
  summary: 'Make a new secret, shown once; what it had of secrets is worth nothing from then on',
  permission: 'configuration:write',
  status: 201,
  answer: z.strictObject({ clientId: z.string(), clientSecret: z.string() }),
  refuses: ['not_found', 'permission_missing', 'client_changed'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const which = whichOf(http)
    const secret = deps.random.token()
    const made = await inTenant(deps.database, tenant.id, async (db) => {
      // Whoever has the secret of a directory says who works for the company: the same permission as for its token, and as audible.
      const isDirectory = await isScimClient(db, tenant.id, which.issuerId, which.id)
      if (isDirectory && !http.caller.key.permissions.includes('impersonate')) return 'permission_missing' as const
      if (!(await isSeen(db, http))) return 'client_changed' as const
      if (!(await replaceClientSecret(db, tenant.id, which, { hash: hashCredential(secret), now: deps.clock.now() })))
        return 'not_found' as const
      const asked = isDirectory ? { ...http, permission: 'impersonate' as const } : http
      await audit(db, tenant.id, asked, deps, { kind: 'client.secret_replaced', clientId: which.id })
      return undefined
    })
    return made === undefined ? json({ clientId: which.id, clientSecret: secret }, { status: 201 }) : refuseAdmin(made)
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/clients/:client',
  tag,
  summary: 'Remove a client that nothing was ever granted to; kill any other',
  permission: 'configuration:write',
  refuses: ['not_found', 'still_in_use', 'permission_missing', 'client_changed'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const which = whichOf(http)
    let refusal: 'permission_missing' | 'client_changed' | undefined
    const answer = await answerRemoval(() =>
      inTenant(deps.database, tenant.id, async (db) => {
        // With a client goes the directory that it speaks for, and nobody hears any more who left.
        const isDirectory = await isScimClient(db, tenant.id, which.issuerId, which.id)
        const isAllowed = !isDirectory || http.caller.key.permissions.includes('impersonate')
        refusal = !isAllowed ? 'permission_missing' : (await isSeen(db, http)) ? undefined : 'client_changed'
        const removed = refusal === undefined && (await deleteClient(db, tenant.id, which))
        const asked = isDirectory ? { ...http, permission: 'impersonate' as const } : http
        if (removed) await audit(db, tenant.id, asked, deps, { kind: 'client.removed', clientId: which.id })
        return removed
      }),
    )
    return refusal === undefined ? answer : refuseAdmin(refusal)
  },
})

export const clientEndpoints = [list, read, create, govern, correct, replaceSecret, remove]
/** Those registered at the front are the vendor's to govern, for every tenant. */
export const frontClientEndpoints = [list, read, create, govern, correct, replaceSecret].map(ofFront)
/** What a tenant says of a client that its people use at the front, for itself. */
export const memberClientEndpoints = [list, read, govern].map((endpoint) => ofMember(endpoint, 'clients'))

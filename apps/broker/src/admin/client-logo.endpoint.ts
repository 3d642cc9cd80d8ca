/**
 * A client's logo, which people see only after an admin has: look at what the client names, approve that picture, withdraw it.
 *
 * What is looked at is not kept. To approve is to name the digest of what was seen; the picture is fetched once more, and kept only if it is the same.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { deleteClientLogo, findClientLogo, putClientLogo } from '@drawbridge/store/client-logos'
import { findClient } from '@drawbridge/store/clients'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { type FetchedLogo, fetchClientLogo } from '../clients/client-logo.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, answerRemoval, audit } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, toIso } from './shapes.js'

const tag = 'Clients'
const path = '/tenants/:tenant/clients/:client/logo'

const pictureMembers = {
  logoUri: z.string(),
  mediaType: z.enum(['image/png', 'image/jpeg', 'image/gif', 'image/webp']),
  digest: z.string().describe('SHA-256 of the picture, base64url'),
  picture: z.base64(),
}
const seenShape = z.strictObject({ ...pictureMembers, width: z.int(), height: z.int() })
const approvedShape = z.strictObject({
  ...pictureMembers,
  approvedAt: time,
  shown: z.boolean().describe('False: the client is not approved, is blocked, or says by now that its logo is elsewhere'),
})

const whichOf = (http: HttpRequest<unknown, unknown>) => ({
  issuerId: tenantOf(http).issuer.id,
  id: (http.params['client'] ?? '') as ClientId,
})

type Seen = { readonly logoUri: string; readonly logo: FetchedLogo }

async function lookAt(http: HttpRequest<unknown, unknown>, deps: BrokerDeps): Promise<Result<Seen, Answer>> {
  const { issuerId, id } = whichOf(http)
  const logoUri = (await findClient(onHotPath(deps.database), tenantOf(http).id, issuerId, id))?.logoUri
  if (logoUri === undefined) return err(refuseAdmin('not_found'))
  const logo = await fetchClientLogo(deps, logoUri)
  if (logo.ok) return ok({ logoUri, logo: logo.value })
  const { reason, why } = logo.error
  return err(refuseAdmin('client_logo_unusable', [{ path: 'logoUri', message: why === undefined ? reason : `${reason}: ${why}` }]))
}

const look = adminEndpoint({
  method: 'POST',
  path: `${path}/look`,
  tag,
  summary: 'Fetch the logo that a client names, to look at it; nothing is kept, and nobody is shown it',
  // It makes the broker fetch an address of the client's choice.
  permission: 'configuration:write',
  answer: seenShape,
  refuses: ['not_found', 'client_logo_unusable'],
  run: async (http, deps) => {
    const seen = await lookAt(http, deps)
    if (!seen.ok) return seen.error
    const { logoUri, logo } = seen.value
    const { octets, ...shown } = logo
    return json({ ...shown, logoUri, picture: octets.toString('base64') })
  },
})

const approve = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary: 'Let people see the logo that was looked at, wherever they are asked about this approved client',
  permission: 'configuration:write',
  body: z.strictObject({ digest: z.string().max(64).describe('As it was shown: another picture is refused') }),
  refuses: ['not_found', 'client_logo_unusable', 'client_logo_changed'],
  status: 204,
  run: async (http, deps) => {
    const seen = await lookAt(http, deps)
    if (!seen.ok) return seen.error
    const { logoUri, logo } = seen.value
    const { digest } = http.parsed
    if (logo.digest !== digest) return refuseAdmin('client_logo_changed')
    const tenant = tenantOf(http)
    const which = whichOf(http)
    return inTenant(deps.database, tenant.id, async (db) => {
      const kept = { ...logo, logoUri, approvedAt: deps.clock.now() }
      if (!(await putClientLogo(db, tenant.id, which, kept))) return refuseAdmin('client_logo_changed')
      await audit(db, tenant.id, http, deps, { kind: 'client.logo_approved', clientId: which.id, detail: { logoUri, digest } })
      return { kind: 'empty', status: 204 }
    })
  },
})

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read the logo that was approved, and whether people are shown it',
  permission: 'configuration:read',
  answer: approvedShape,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const which = whichOf(http)
    const logo = await inTenant(deps.database, tenant, (db) => findClientLogo(db, tenant, which))
    const client = await findClient(onHotPath(deps.database), tenant, which.issuerId, which.id)
    if (!logo || !client) return refuseAdmin('not_found')
    const { logoUri, mediaType, digest, octets, approvedAt } = logo
    const shown = client.preApproved && client.blockedAt === undefined && client.logoUri === logoUri
    return json({ logoUri, mediaType, digest, picture: octets.toString('base64'), approvedAt: toIso(approvedAt), shown })
  },
})

const withdraw = adminEndpoint({
  method: 'DELETE',
  path,
  tag,
  summary: 'Show people the logo no more',
  permission: 'configuration:write',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const which = whichOf(http)
    return answerRemoval(() =>
      inTenant(deps.database, tenant.id, async (db) => {
        const removed = await deleteClientLogo(db, tenant.id, which)
        if (removed) await audit(db, tenant.id, http, deps, { kind: 'client.logo_withdrawn', clientId: which.id })
        return removed
      }),
    )
  },
})

export const clientLogoEndpoints = [read, look, approve, withdraw]

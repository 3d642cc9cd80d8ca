/** What people have agreed to, and its withdrawal. */
import { type ListedConsent, listConsents, withdrawConsent } from '@drawbridge/store/consents'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const tag = 'Revocation'

const consentShape = z.strictObject({
  id: idShape,
  subjectId: idShape,
  clientId: z.string(),
  audience: z.string().describe('The resource'),
  redirectUri: z.string().describe('The only one for which the person is not asked again'),
  scopes: z.array(z.string()),
  agreedAt: time,
  expiresAt: time.describe('A policy may have her asked earlier'),
})
const showConsent = (consent: ListedConsent): z.output<typeof consentShape> => ({
  ...consent,
  scopes: [...consent.scopes],
  agreedAt: toIso(consent.agreedAt),
  expiresAt: toIso(consent.expiresAt),
})

const consents = adminList({
  path: '/tenants/:tenant/consents',
  tag,
  summary: 'List what people have agreed to and are not asked again, newest first',
  permission: 'audit:read',
  member: 'consents',
  shown: consentShape,
  position: ['before', 'moment'],
  filters: { subject: z.uuid().optional(), client: z.string().max(2048).optional() },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    const filter = { subjectId: http.asked.subject, clientId: http.asked.client, now: deps.clock.now() }
    return inTenant(deps.database, id, (db) => listConsents(db, id, filter, page))
  },
  show: showConsent,
  positionOf: ({ agreedAt, id }) => momentPosition(agreedAt, id),
})

const withdraw = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/consents/:id/withdraw',
  tag,
  summary: 'Forget a consent, and end what the person’s client holds for that resource',
  permission: 'revoke',
  body: z.strictObject({ reason: z.string().trim().min(1).max(300).describe('For the audit trail and the receipts') }),
  answer: z.strictObject({ grantsEnded: z.int() }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const { reason } = http.parsed
    const withdrawn = await inTenant(deps.database, tenant.id, async (db) => {
      const done = await withdrawConsent(db, tenant.id, { id, reason, now: deps.clock.now(), requestId: http.requestId })
      if (done)
        await audit(db, tenant.id, http, deps, {
          kind: 'consent.withdrawn',
          reason,
          subjectId: done.subjectId,
          clientId: done.clientId,
          detail: { consent: id, grantsEnded: done.ended },
        })
      return done
    })
    return withdrawn ? json({ grantsEnded: withdrawn.ended }) : refuseAdmin('not_found')
  },
})

export const consentEndpoints = [consents, withdraw]

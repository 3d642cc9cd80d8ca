/** Which clients may exchange whose tokens for which resource: RFC 8693. None may until somebody has said so, and what was issued ends with the permission. */
import { type ExchangePermission, keyOf, tokenExchangeFromJson, tokenExchangeShape } from '@drawbridge/core/oauth/exchange-permission'
import { endExchangedGrants, holdExchanges } from '@drawbridge/store/exchanged-grants'
import { findTokenExchange, markTokenExchange } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ifRevision, revision, revisionOf } from './permissions-revision.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Clients'
const path = '/tenants/:tenant/token-exchange'
const answer = tokenExchangeShape.extend({ revision })

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read which clients may exchange whose tokens for which resource',
  permission: 'configuration:read',
  answer,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { permissions } = tokenExchangeFromJson(await inTenant(deps.database, id, (db) => findTokenExchange(db, id)))
    return json({ permissions, revision: revisionOf(permissions) })
  },
})

/** What allowed something before and does not now: it is gone, or allows less than it did. */
const lostOf = (before: readonly ExchangePermission[], after: readonly ExchangePermission[]): readonly ExchangePermission[] =>
  before.filter((old) => {
    const now = after.find((each) => keyOf(each) === keyOf(old))
    return now === undefined || !old.scopes.every((scope) => now.scopes.includes(scope)) || !isWithin(old.ofClients, now.ofClients)
  })
const isWithin = (old: readonly string[] | undefined, now: readonly string[] | undefined): boolean =>
  now === undefined || (old?.every((client) => now.includes(client)) ?? false)

const choose = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary: 'Choose which clients may exchange whose tokens for which resource; what was issued by a permission that is gone or less ends',
  permission: 'configuration:write',
  body: tokenExchangeShape.extend({ ifRevision }),
  answer: answer.extend({ grantsEnded: z.int().describe('Of permissions that are gone, or allow less') }),
  refuses: ['reference_unknown', 'permissions_moved'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { ifRevision: read, ...chosen } = http.parsed
    const { permissions } = tokenExchangeFromJson(chosen)
    const atFront = await deps.configuration.find(tenant.slug, 'front_member')
    const isKnown = ({ from, to, at }: ExchangePermission): boolean => {
      const { resources = [] } = (at === 'front' ? atFront : tenant) ?? {}
      return [from, to].every((named) => resources.some(({ identifier }) => identifier === named))
    }
    if (!permissions.every(isKnown)) return refuseAdmin('reference_unknown')
    const grantsEnded = await inTenant(deps.database, tenant.id, async (db) => {
      await holdExchanges(db, tenant.id)
      const before = tokenExchangeFromJson(await findTokenExchange(db, tenant.id))
      if (read !== undefined && read !== revisionOf(before.permissions)) return undefined
      await markTokenExchange(db, tenant.id, chosen)
      const lost = lostOf(before.permissions, permissions)
      const ended = await endExchangedGrants(db, tenant.id, { lost, now: deps.clock.now(), requestId: http.requestId })
      await audit(db, tenant.id, http, deps, { kind: 'tenant.token_exchange_changed', detail: { permissions, grantsEnded: ended } })
      return ended
    })
    if (grantsEnded === undefined) return refuseAdmin('permissions_moved')
    return json({ permissions, revision: revisionOf(permissions), grantsEnded })
  },
})

export const tokenExchangeEndpoints = [read, choose]

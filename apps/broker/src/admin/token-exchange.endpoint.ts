/** Which clients may exchange whose tokens for which resource: RFC 8693. None may until somebody has said so, and what was issued ends with the permission. */
import { type ExchangePermission, keyOf, tokenExchangeFromJson, tokenExchangeShape } from '@drawbridge/core/oauth/exchange-permission'
import { endExchangedGrants, holdExchanges } from '@drawbridge/store/exchanged-grants'
import { findTokenExchange, markTokenExchange } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Clients'
const path = '/tenants/:tenant/token-exchange'

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read which clients may exchange whose tokens for which resource',
  permission: 'configuration:read',
  answer: tokenExchangeShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json(tokenExchangeFromJson(await inTenant(deps.database, id, (db) => findTokenExchange(db, id))))
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
  body: tokenExchangeShape,
  answer: tokenExchangeShape.extend({ grantsEnded: z.int().describe('Of permissions that are gone, or allow less') }),
  refuses: ['reference_unknown'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { permissions } = http.parsed
    const known = new Set<string>(tenant.resources.map(({ identifier }) => identifier))
    if (!permissions.every(({ from, to }) => known.has(from) && known.has(to))) return refuseAdmin('reference_unknown')
    const grantsEnded = await inTenant(deps.database, tenant.id, async (db) => {
      await holdExchanges(db, tenant.id)
      const before = tokenExchangeFromJson(await findTokenExchange(db, tenant.id))
      await markTokenExchange(db, tenant.id, http.parsed)
      const lost = lostOf(before.permissions, tokenExchangeFromJson(http.parsed).permissions)
      const ended = await endExchangedGrants(db, tenant.id, { lost, now: deps.clock.now(), requestId: http.requestId })
      await audit(db, tenant.id, http, deps, { kind: 'tenant.token_exchange_changed', detail: { permissions, grantsEnded: ended } })
      return ended
    })
    return json({ permissions, grantsEnded })
  },
})

export const tokenExchangeEndpoints = [read, choose]

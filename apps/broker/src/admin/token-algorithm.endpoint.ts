/** By which algorithm a tenant's tokens are signed: chosen at once, in force when every verifier can know the key. docs/adr/0064 */
import { addSeconds } from '@drawbridge/core/instant'
import { keyOverlapSeconds } from '@drawbridge/core/oauth/key-rotation'
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { chooseTokenAlgorithm } from '@drawbridge/store/key-rotation'
import { findKeyAlgorithm } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront } from './at-front.js'
import { keyChangeOf } from './key-change.js'

const tag = 'Signing keys'
const shape = z.strictObject({ algorithm: z.enum(tokenAlgorithms) })

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/token-algorithm',
  tag,
  summary: 'Read which algorithm is chosen for the tokens of the tenant; its list of signing keys says which one signs now',
  permission: 'configuration:read',
  answer: shape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const algorithm = await inTenant(deps.database, id, (db) => findKeyAlgorithm(db, id, 'tokens'))
    return json({ algorithm })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/token-algorithm',
  tag,
  summary: 'Choose the algorithm of the tokens: its key is published now and signs after a day, and nothing that was issued dies by it',
  permission: 'keys:rotate',
  body: shape,
  answer: shape,
  run: async (http, deps) => {
    const { algorithm } = http.parsed
    const { tenant, ...change } = keyChangeOf(deps, tenantOf(http))
    const activatesAt = addSeconds(change.now, keyOverlapSeconds)
    await inTenant(deps.database, tenant, async (db) => {
      const former = await chooseTokenAlgorithm(db, tenant, { ...change, algorithm, activatesAt })
      if (former === algorithm) return
      const event = { kind: 'tenant.token_algorithm_changed', issuerId: change.issuerId, detail: { from: former, to: algorithm } } as const
      await audit(db, tenant, http, deps, event)
    })
    return json({ algorithm })
  },
})

export const tokenAlgorithmEndpoints = [read, choose]
/** Of the front's tokens, which are signed for every tenant. */
export const frontTokenAlgorithmEndpoints = tokenAlgorithmEndpoints.map(ofFront)

/** What a tenant demands of tokens that are bound to a key. It holds for what is issued from then on: older tokens live out their minutes. */
import { dpopRulesFromJson, dpopRulesShape } from '@drawbridge/core/oauth/dpop-rules'
import { findDpopRules, markDpopRules } from '@drawbridge/store/tenants'
import { ofFront, tellMembers } from './at-front.js'
import { settingEndpoints } from './tenant-setting.js'

export const dpopRulesEndpoints = settingEndpoints({
  path: '/dpop',
  tag: 'Clients',
  shape: dpopRulesShape,
  summaries: {
    read: 'Read what a tenant demands of tokens that are bound to a key',
    choose:
      'Choose whether every client must have its tokens bound to a key, and whether proofs need a nonce; older tokens live out their time',
  },
  kind: 'tenant.dpop_changed',
  find: async (db, tenant) => dpopRulesFromJson(await findDpopRules(db, tenant)),
  mark: markDpopRules,
  afterwards: tellMembers,
})
/** Of every tenant's people and clients at the front, beside what the tenant demands. */
export const frontDpopRulesEndpoints = dpopRulesEndpoints.map(ofFront)

/** By which `sub` clients that say nothing know people. It holds for those that become known from then on. */
import { subjectTypeRulesShape } from '@drawbridge/core/oauth/subject-type'
import { isPairwiseByDefault, markPairwiseByDefault } from '@drawbridge/store/tenants'
import { settingEndpoints } from './tenant-setting.js'

export const subjectTypesEndpoints = settingEndpoints({
  path: '/subject-types',
  tag: 'Clients',
  shape: subjectTypeRulesShape,
  summaries: {
    read: 'Read whether clients know people by a sub of their own unless they say otherwise',
    choose: 'Choose whether clients that become known from then on know people by a sub of their own; those that are known keep theirs',
  },
  kind: 'tenant.subject_types_changed',
  find: async (db, tenant) => ({ pairwiseByDefault: await isPairwiseByDefault(db, tenant) }),
  mark: (db, tenant, { pairwiseByDefault }) => markPairwiseByDefault(db, tenant, pairwiseByDefault),
})

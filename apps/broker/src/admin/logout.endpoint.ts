/** What a logout takes away in a tenant. Whoever lets grants outlive it weakens what the company's IT relies on: `impersonate`. */
import { grantsOutliveLogout } from '@drawbridge/store/end-session'
import { markGrantsOutliveLogout } from '@drawbridge/store/tenants'
import { z } from 'zod'
import { settingEndpoints } from './tenant-setting.js'

export const logoutSettingEndpoints = settingEndpoints({
  path: '/logout',
  tag: 'Logout',
  shape: z.strictObject({
    grantsOutliveLogout: z
      .boolean()
      .describe(
        'True: what was granted from a session lives on when the IdP or the person ends it, until its own time. False unless chosen',
      ),
  }),
  summaries: {
    read: 'Read whether what was granted from a session ends with it',
    choose: 'Choose whether what was granted from a session ends with it. A deprovisioning ends everything, whatever is chosen here',
  },
  permission: 'impersonate',
  kind: 'tenant.logout_changed',
  find: async (db, tenant) => ({ grantsOutliveLogout: await grantsOutliveLogout(db, tenant) }),
  mark: (db, tenant, chosen) => markGrantsOutliveLogout(db, tenant, chosen.grantsOutliveLogout),
})

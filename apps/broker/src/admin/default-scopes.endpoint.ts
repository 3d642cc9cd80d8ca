/** Which scopes of the vendor's shared resources a tenant gives to whoever names none, at its own issuer and at the front. */
import { defaultScopesFromJson, defaultScopesShape } from '@drawbridge/core/oauth/default-scopes'
import { findDefaultScopes, markDefaultScopes } from '@drawbridge/store/tenants'
import { settingEndpoints } from './tenant-setting.js'

export const defaultScopesEndpoints = settingEndpoints({
  path: '/default-scopes',
  tag: 'Resources',
  shape: defaultScopesShape,
  summaries: {
    read: 'Read which scopes of shared resources are granted to whoever names none',
    choose: 'Choose which scopes of shared resources are granted to whoever names none; what is left out is as the vendor has it',
  },
  kind: 'tenant.default_scopes_changed',
  find: async (db, tenant) => {
    const chosen = defaultScopesFromJson(await findDefaultScopes(db, tenant))
    // Shown as none it would be as the vendor has it, and written back so.
    if (chosen === 'unreadable') throw new Error('the default scopes of a tenant cannot be read: choose them anew')
    return chosen
  },
  mark: markDefaultScopes,
})

/** In which ways clients may become known to a tenant, and whether an admin has to approve them first. What was granted before a way was closed lives on; kill a client to end that. */
import { clientRegistrationFromJson, clientRegistrationShape } from '@drawbridge/core/oauth/client-registration'
import { findClientRegistration, markClientRegistration } from '@drawbridge/store/tenants'
import { ofFront, tellMembers } from './at-front.js'
import { settingEndpoints } from './tenant-setting.js'

export const clientRegistrationEndpoints = settingEndpoints({
  path: '/client-registration',
  tag: 'Clients',
  shape: clientRegistrationShape,
  summaries: {
    read: 'Read in which ways clients may become known to a tenant',
    choose:
      'Choose in which ways clients may become known; a closed way grants nothing new, nor does a want of approval, and what was granted lives on',
  },
  kind: 'tenant.client_registration_changed',
  find: async (db, tenant) => clientRegistrationFromJson(await findClientRegistration(db, tenant)),
  mark: markClientRegistration,
  afterwards: tellMembers,
})
export const frontClientRegistrationEndpoints = clientRegistrationEndpoints.map(ofFront)

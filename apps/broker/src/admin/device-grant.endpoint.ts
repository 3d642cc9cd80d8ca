/** Whether devices may ask for access by a code that a person types elsewhere. Off until somebody wants it: docs/adr/0071. */
import { findDeviceGrant, markDeviceGrant } from '@drawbridge/store/tenants'
import { z } from 'zod'
import { ofFront } from './at-front.js'
import { settingEndpoints } from './tenant-setting.js'

export const deviceGrantEndpoints = settingEndpoints({
  path: '/device-grant',
  tag: 'Clients',
  shape: z.strictObject({ enabled: z.boolean().describe('Devices may ask: RFC 8628') }),
  summaries: {
    read: 'Read whether devices may ask for access by a code that a person types elsewhere',
    choose: 'Let devices ask for access by a code that a person types elsewhere, or no longer; what was granted lives on',
  },
  kind: 'tenant.device_grant_changed',
  find: async (db, tenant) => ({ enabled: await findDeviceGrant(db, tenant) }),
  mark: (db, tenant, { enabled }) => markDeviceGrant(db, tenant, enabled),
})
/** Whether devices may ask at the front issuer at all: each tenant says it for its people, too. */
export const frontDeviceGrantEndpoints = deviceGrantEndpoints.map(ofFront)

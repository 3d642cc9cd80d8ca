/** Whether the clients of a tenant must push their authorization requests beforehand: RFC 9126 §5. A client may demand it of itself alone. */
import { markRequirePushedRequests, requiresPushedRequests } from '@drawbridge/store/tenants'
import { z } from 'zod'
import { ofFront, tellMembers } from './at-front.js'
import { settingEndpoints } from './tenant-setting.js'

export const pushedRequestsEndpoints = settingEndpoints({
  path: '/pushed-requests',
  tag: 'Clients',
  shape: z.strictObject({
    required: z
      .boolean()
      .describe('True: an authorization request that was not pushed is refused, whichever client it is of. False unless chosen'),
  }),
  summaries: {
    read: 'Read whether authorization requests must be pushed beforehand',
    choose:
      'Choose whether authorization requests must be pushed beforehand; what a browser has under way unpushed is refused from then on',
  },
  kind: 'tenant.pushed_requests_changed',
  find: async (db, tenant) => ({ required: await requiresPushedRequests(db, tenant) }),
  mark: (db, tenant, { required }) => markRequirePushedRequests(db, tenant, required),
  afterwards: tellMembers,
})
/** Of every tenant's people and clients at the front, beside what the tenant demands. */
export const frontPushedRequestsEndpoints = pushedRequestsEndpoints.map(ofFront)

/** The logo that the consent page shows: of a client that an admin vouches for, as an admin has seen it, to the browser that is being asked. */
import { findShownLogo } from '@drawbridge/store/client-logos'
import { inTenant } from '@drawbridge/store/transaction'
import { picture } from '../http/answer.js'
import { endpoint } from '../http/endpoint.js'
import { refuseHttp } from '../http/write-error.js'
import { loadFlow } from './flow.js'

export const clientLogoEndpoint = endpoint({
  path: '/t/:tenant/authorize/client-logo',
  method: 'GET',
  spec: 'OAuth CIMD, displaying logos to end-users',
  summary: 'The logo of the client that the consent page is about, from here and not from the client.',
  tag: 'Browser flow',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    if (!flow.ok) return flow.error
    const { tenant, client, ongoing } = flow.value
    const logo =
      ongoing.step === 'consent' ? await inTenant(deps.database, tenant.id, (db) => findShownLogo(db, tenant.id, client)) : undefined
    return logo ? picture(logo.mediaType, logo.octets) : refuseHttp('page', 'path_unknown')
  },
})

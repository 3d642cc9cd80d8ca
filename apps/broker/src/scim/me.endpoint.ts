/** The bearer of a directory's token is no person, so there is no `/Me`, and it says so. RFC 7644 §3.11. */
import { endpoint } from '../http/endpoint.js'
import { scimCommon } from './resource-endpoints.js'
import { refuseScim } from './scim-answer.js'

export const meEndpoints = (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).map((method) =>
  endpoint({
    ...scimCommon,
    method,
    path: '/t/:tenant/scim/v2/Me',
    spec: 'RFC 7644 §3.11',
    summary: 'Refused: a directory is nobody',
    run: () => refuseScim({ reason: 'scim_me_absent' }),
  }),
)

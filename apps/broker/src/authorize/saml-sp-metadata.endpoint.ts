/** What an IdP's admin imports: our side of one SAML connection. */
import { buildSpMetadata } from '@drawbridge/upstream/saml/sp-metadata'
import { text } from '../http/answer.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'

/** @spec SAML Metadata §2.4.4 */
export const samlSpMetadataEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/saml/:connection/metadata',
  spec: 'SAML Metadata §2.4.4',
  summary: 'Metadata of the service provider for one connection.',
  tag: 'Federation',
  refusals: 'page',
  run: (http) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'saml') return refuseOnPage({ reason: 'connection_unknown' })
    const { configuration, serviceProvider } = connection
    if (!configuration.ok || configuration.value.kind !== 'saml') return refuseOnPage({ reason: 'connection_unknown' })
    const acsUrl = callbackUrlOf(tenant, connection)
    return text('application/samlmetadata+xml', buildSpMetadata({ connection: configuration.value, acsUrl, serviceProvider }))
  },
})

/** What the transmitter of notices can do and where. It lists only what is served. */
import { json } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'

export const ssfConfigurationEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/ssf/configuration',
  spec: 'OpenID SSF 1.0 §7.1',
  summary: 'Describe the transmitter of revocation notices',
  servesSuspended: true,
  cors: true,
  tag: 'signals',
  output: { status: 200 },
  run: (http, deps) => {
    const issuer = `${deps.settings.publicUrl}/t/${tenantOf(http).slug}`
    return json({
      spec_version: '1_0',
      issuer,
      jwks_uri: `${issuer}/ssf/jwks`,
      delivery_methods_supported: ['urn:ietf:rfc:8936'],
      configuration_endpoint: `${issuer}/ssf/streams`,
      authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:7617' }],
      critical_subject_members: [],
    })
  },
})

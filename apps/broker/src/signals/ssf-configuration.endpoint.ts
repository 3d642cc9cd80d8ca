/** What the transmitter of notices can do and where. It lists only what is served. */
import { pollDelivery, pushDelivery } from '@drawbridge/core/signals/event-stream'
import { subjectMembers } from '@drawbridge/core/signals/set-claims'
import { json } from '../http/answer.js'
import { type Endpoint, endpoint, tenantOf } from '../http/endpoint.js'

/**
 * Subjects cannot be added or removed (docs/adr/0060): a receiver hears of everybody whose tokens it may have seen. So no endpoint says otherwise.
 * A resource proves itself by the credential that it has for introspection, in one of two ways.
 *
 * @spec SSF 1.0 §7.1
 */
const at = (path: string): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    spec: 'SSF 1.0 §7.2',
    summary: 'Describe the transmitter of revocation notices',
    servesSuspended: true,
    cors: true,
    tag: 'signals',
    output: { status: 200 },
    run: (http) => {
      const issuer = tenantOf(http).issuer.url
      return json({
        spec_version: '1_0',
        issuer,
        jwks_uri: `${issuer}/ssf/jwks`,
        delivery_methods_supported: [pushDelivery, pollDelivery],
        configuration_endpoint: `${issuer}/ssf/streams`,
        status_endpoint: `${issuer}/ssf/status`,
        verification_endpoint: `${issuer}/ssf/verify`,
        critical_subject_members: subjectMembers,
        default_subjects: 'ALL',
        authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:7617' }, { spec_urn: 'urn:ietf:rfc:6750' }],
      })
    },
  })

/** At an issuer without a path, what is inserted and what is appended are at one place. */
export const frontSsfConfigurationEndpoint = at('/.well-known/ssf-configuration/t/:tenant')

/** The well-known part stands before the issuer's path; receivers that append it are common; the last was served before there was a standard one. */
export const ssfConfigurationEndpoints = [
  frontSsfConfigurationEndpoint,
  at('/t/:tenant/.well-known/ssf-configuration'),
  at('/t/:tenant/ssf/configuration'),
]

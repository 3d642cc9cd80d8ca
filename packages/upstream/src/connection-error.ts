/** Why a configuration or an IdP metadata document is refused. */
import { type UpstreamErrorEntry } from './error-entry.js'

export const connectionErrors = {
  // Configuration
  connection_configuration_invalid: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'ours',
    cause: 'The configuration of the connection is incomplete or has unknown members.',
    remedy: 'Compare it with the documented shape; the detail names the member.',
  },
  connection_certificate_invalid: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'RFC 5280',
    cause: 'A certificate is unreadable, or its key is neither RSA of at least 2048 bits nor EC on P-256, P-384 or P-521.',
    remedy: 'Export the signing certificate of the IdP again (PEM or base64).',
  },
  connection_url_insecure: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'ours',
    cause: 'A URL of the IdP is not https.',
    remedy: 'Use the https URL. Plain http is accepted for loopback hosts only.',
  },
  metadata_malformed: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Metadata §2.3',
    cause: 'This is not one SAML 2.0 EntityDescriptor with an IDPSSODescriptor.',
    remedy: 'Download the IdP (not the SP) metadata of this one application and paste it unchanged.',
  },
  metadata_several_entities: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Metadata §2.3.1',
    cause: 'The metadata describes several entities.',
    remedy: 'Give the metadata of one IdP, or say which entity ID is meant.',
  },
  metadata_no_signing_key: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Metadata §2.4.1.1',
    cause: 'The metadata holds no usable signing certificate.',
    remedy: 'Export the metadata again, with the signing certificate.',
  },
  metadata_no_endpoint: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Metadata §2.4.3',
    cause: 'The metadata names no SingleSignOnService with HTTP-Redirect or HTTP-POST.',
    remedy: 'Turn on one of the two bindings at the IdP.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

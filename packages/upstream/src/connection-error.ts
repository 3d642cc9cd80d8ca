/** Why a configuration is refused. What is wrong with metadata is in `saml/metadata-findings`. */
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
    cause:
      'A certificate or one of its dates is unreadable, or its key is neither RSA of 2048 to 4096 bits nor EC on P-256, P-384 or P-521.',
    remedy: 'Export the signing certificate of the IdP again (PEM or base64).',
  },
  connection_url_insecure: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'ours',
    cause: 'A URL of the IdP is not https.',
    remedy: 'Use the https URL. Plain http is accepted for loopback hosts only.',
  },
  connection_url_loopback: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'ours',
    cause: 'A URL of the IdP leads to the machine of whoever follows it (localhost, 127.0.0.1), and this installation is public.',
    remedy: 'Give the address under which the IdP is reached from everywhere; the detail names the member.',
  },
  // Sign-out
  idp_session_of_another: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Profiles §4.4.3.1, OIDC RP-Initiated Logout §2',
    cause: 'The session was opened by another IdP than the connection names now, so nobody there was asked to end it.',
    remedy: 'Nothing: the session here is over. Who signed in before the change signs out at the earlier IdP herself.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

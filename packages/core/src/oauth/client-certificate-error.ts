/** Why a client is not believed that proves itself by a certificate. Who asks hears the same as of a wrong secret; the log says which it was. */
const refused = {
  code: 'invalid_client',
  status: 401,
  answer: 'json',
  spec: 'RFC 8705 §2',
  say: 'client authentication failed; check client_id and its credentials, or register again',
} as const

export const clientCertificateErrors = {
  client_certificate_missing: refused,
  /** Somebody sent the header who does not know the secret of our proxies. */
  client_certificate_of_stranger: { ...refused, spec: 'RFC 9440 §2.4' },
  client_certificate_malformed: { ...refused, spec: 'RFC 9440 §2.1' },
  client_certificate_not_in_force: { ...refused, spec: 'RFC 5280 §4.1.2.5' },
  client_certificate_of_other: { ...refused, spec: 'RFC 8705 §2.1' },
} as const

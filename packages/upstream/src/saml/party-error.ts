/** Why a SAML login fails over keys of ours: what we sign, and what an IdP encrypts to us. */
import { attackOrBug, type UpstreamErrorEntry } from '../error-entry.js'

export const samlPartyErrors = {
  sp_key_missing: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'ours',
    cause: 'This connection signs or decrypts, and its tenant has no key for SAML.',
    remedy: 'Rotate the signing keys for purpose "saml" once: the first ones are made so. Then load our metadata at the IdP.',
  },
  saml_encryption_required: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.3.4',
    cause: 'The assertion is not encrypted, and this connection demands that it is.',
    remedy: 'Load our metadata at the IdP and turn on assertion encryption there, or set encryption of the connection to "accepted".',
  },
  saml_encryption_shape_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Encryption 1.1 §3',
    cause:
      'The encrypted assertion does not have the one shape that is read: one EncryptedData with one EncryptedKey, or something encrypted is inside it.',
    remedy: attackOrBug,
  },
  saml_encryption_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Encryption 1.1 §5',
    cause: 'The IdP encrypts with an algorithm that is not on the list: AES-128 or AES-256, its key wrapped with RSA-OAEP.',
    remedy: 'Set the IdP to AES-256-GCM and RSA-OAEP. RSA with PKCS #1 v1.5 padding is never accepted.',
  },
  saml_encryption_cbc_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Encryption 1.1 §6.1',
    cause: 'The IdP encrypts with AES-CBC, which protects nothing against changes, and this connection accepts AES-GCM only.',
    remedy: 'Set the IdP to AES-256-GCM. If it has none (AD FS, Entra), set contentEncryption of the connection to "gcm-or-cbc".',
  },
  saml_decryption_failed: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Encryption 1.1 §4.4',
    cause: 'The assertion does not decrypt to one that a certificate of this connection signed. What exactly failed is never told.',
    remedy:
      'Load our metadata at the IdP again, because our key may have changed. Then compare its signing certificate with the connection.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

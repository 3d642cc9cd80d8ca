/** Why a SAML message is refused before anything in it is believed: its text and its signature. */
import { attackOrBug, notFromIdp, type UpstreamErrorEntry } from '../error-entry.js'

export const samlMessageErrors = {
  // Reading the message
  saml_response_missing: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.5.4',
    cause: 'The request has no SAMLResponse parameter, or one without text.',
    remedy: 'Check that the IdP sends its answer to the ACS URL with the HTTP-POST binding.',
  },
  saml_binding_unsupported: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Profiles §4.1.2',
    cause: 'The answer did not arrive by the binding that this connection asks for.',
    remedy:
      'Set the IdP to send responses with HTTP-POST. If it knows only redirects, set responseBinding of the connection to "redirect".',
  },
  saml_base64_invalid: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.5.4',
    cause: 'SAMLResponse is not strict base64, or the assertion that a client brings is not base64url without padding.',
    remedy: notFromIdp,
  },
  saml_encoding_not_utf8: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0 §4.3.3',
    cause: 'The message is not UTF-8 text.',
    remedy: 'Set the IdP to encode its messages in UTF-8.',
  },
  saml_message_too_large: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'security.md §17',
    cause: 'The message is longer than the named limit.',
    remedy: 'Send fewer groups or attributes: filter groups at the IdP to those that this application needs.',
  },
  saml_limit_exceeded: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0',
    cause: 'The message has more elements, attributes, namespaces or depth than the named limits allow.',
    remedy: 'Send fewer attributes: filter groups at the IdP.',
  },
  saml_reader_limit_exceeded: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0',
    cause:
      'The message exceeds a limit of the reader “xml-crypto”, which this connection names or which reads it while SHA-1 is allowed. The default reader takes it.',
    remedy:
      'Remove signatureReader from the configuration of the connection, or set it to "xml-signature"; where SHA-1 is allowed, set the IdP to SHA-256 and end the exception. Or filter groups at the IdP.',
  },
  saml_doctype: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.5',
    cause: 'The message holds a DOCTYPE.',
    remedy: attackOrBug,
  },
  saml_processing_instruction: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0 §2.6',
    cause: 'The message holds a processing instruction.',
    remedy: attackOrBug,
  },
  saml_comment: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0 §2.5',
    cause: 'The message holds a comment. Comments can split a value for one reader and not for another.',
    remedy: attackOrBug,
  },
  saml_cdata: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0 §2.7',
    cause: 'The message holds a CDATA section.',
    remedy: attackOrBug,
  },
  saml_xml_malformed: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'XML 1.0 §2.1',
    cause: 'The message is not well-formed XML with namespaces.',
    remedy: notFromIdp,
  },
  saml_not_a_response: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Core §3.3.3',
    cause: 'The message is not a SAML 2.0 Response.',
    remedy: 'Check that the IdP speaks SAML 2.0 (not 1.1 or WS-Federation) for this application.',
  },
  saml_not_an_assertion: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'RFC 7522 §2.1',
    cause: 'What the client brings is not one SAML 2.0 assertion.',
    remedy: 'Bring the Assertion element alone, or its EncryptedAssertion: not the Response around it, and nothing of SAML 1.1.',
  },
  saml_shape_invalid: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'SAML Core §2.3.3',
    cause: 'An element is missing, repeated or in a place where the schema does not allow it.',
    remedy: attackOrBug,
  },

  // Signature
  saml_unsigned: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.3.5',
    cause: 'Nothing in the message is signed.',
    remedy: 'Turn on signing of the response, the assertion or both at the IdP, and of logout messages.',
  },
  saml_duplicate_id: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Signature §4.4.3.2',
    cause: 'Two elements carry the same ID, so it is open which one was signed.',
    remedy: attackOrBug,
  },
  saml_signature_misplaced: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §5.4',
    cause: 'A Signature stands somewhere else than directly in the response or in the assertion.',
    remedy: attackOrBug,
  },
  saml_signature_shape_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §5.4',
    cause: 'The Signature does not have the shape that SAML prescribes.',
    remedy: attackOrBug,
  },
  saml_reference_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §5.4.2',
    cause: 'The Signature does not refer, exactly once, to the ID of the element that it stands in.',
    remedy: attackOrBug,
  },
  saml_transform_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §5.4.4',
    cause:
      'The Signature uses a transform or canonicalisation other than enveloped-signature and canonical XML 1.0, exclusive or inclusive, without comments.',
    remedy: 'Set the IdP to exclusive canonicalisation (http://www.w3.org/2001/10/xml-exc-c14n#).',
  },
  saml_algorithm_sha1: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 9231 §2.3.1',
    cause: 'The IdP signs with SHA-1, which can be forged.',
    remedy:
      'Set the signature algorithm of this application at the IdP to RSA-SHA256 with SHA-256 digests. Until that is done, an admin can allow SHA-1 for this connection for some days.',
  },
  saml_algorithm_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 9231',
    cause: 'The signature or digest algorithm is not on the list: RSA or ECDSA with SHA-256, SHA-384 or SHA-512.',
    remedy: 'Set the signature algorithm of this application at the IdP to RSA-SHA256.',
  },
  saml_signature_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'XML Signature §3.2',
    cause: 'No certificate of this connection made the signature, or the message was changed after signing.',
    remedy:
      'Try again in a minute: a new certificate is being fetched where the connection knows its address. Otherwise load the metadata again.',
  },
  saml_encrypted_assertion: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'SAML Core §2.3.4',
    cause: 'The assertion, or something in it, is encrypted, and this connection does not accept that.',
    remedy: 'Set encryption of the connection to "accepted", or turn off assertion encryption for this application at the IdP.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

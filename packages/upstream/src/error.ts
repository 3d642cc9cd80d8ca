/** Every reason why an upstream login or a connection's configuration is refused, with its cause and its remedy in plain words. */

export type UpstreamErrorEntry = {
  readonly code:
    | 'upstream_message_malformed'
    | 'upstream_message_refused'
    | 'upstream_login_failed'
    | 'upstream_unreachable'
    | 'connection_misconfigured'
  readonly status: 400 | 403 | 422 | 502
  readonly spec: string
  /** What happened. Shown to the tenant's admin, never with values from the message. */
  readonly cause: string
  /** What to do about it, and where. */
  readonly remedy: string
}

const notFromIdp = 'Start the login again. If it happens every time, something between the IdP and here rewrites the message.'
const attackOrBug = 'A genuine IdP never sends this. Treat it as an attack or a broken proxy; nothing needs to be changed here.'

export const upstreamErrors = {
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
    cause: 'The answer did not arrive by the HTTP-POST binding.',
    remedy: 'Set the IdP to send responses with HTTP-POST.',
  },
  saml_base64_invalid: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.5.4',
    cause: 'SAMLResponse is not strict base64.',
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
    cause: 'Neither the response nor the assertion is signed.',
    remedy: 'Turn on signing of the response, the assertion or both at the IdP.',
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
    cause: 'The Signature uses a transform or canonicalisation other than enveloped-signature and exclusive canonicalisation.',
    remedy: 'Set the IdP to exclusive canonicalisation (http://www.w3.org/2001/10/xml-exc-c14n#).',
  },
  saml_algorithm_sha1: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 9231 §2.3.1',
    cause: 'The IdP signs with SHA-1, which can be forged.',
    remedy: 'Set the signature algorithm of this application at the IdP to RSA-SHA256 with SHA-256 digests.',
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
    remedy: 'Compare the signing certificate at the IdP with the connection; after a rollover, load the metadata again.',
  },
  saml_encrypted_assertion: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'SAML Core §2.3.4',
    cause: 'The assertion is encrypted; this release reads only plain ones.',
    remedy: 'Turn off assertion encryption for this application at the IdP. The connection is protected by TLS and the signature.',
  },

  // Profile rules
  saml_assertion_count: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The response does not hold exactly one assertion.',
    remedy: 'Set the IdP to send one assertion.',
  },
  saml_version_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §3.2.2',
    cause: 'The Version of response or assertion is not 2.0.',
    remedy: 'Set the IdP to SAML 2.0.',
  },
  saml_status_not_success: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'SAML Core §3.2.2.1',
    cause: 'The IdP answered with an error instead of a login.',
    remedy: 'Look at the sign-in log of the IdP: often the person is not assigned to the application.',
  },
  saml_authn_context_unmet: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'SAML Core §3.2.2.2',
    cause: 'The IdP cannot sign this person in with the strength that was asked for.',
    remedy: 'Enrol a second factor at the IdP, or set the step-up class of the connection to one that the IdP knows.',
  },
  saml_response_issuer_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The Issuer of the response is not the IdP of this connection.',
    remedy: 'Compare the entity ID in the metadata of the IdP with the connection.',
  },
  saml_assertion_issuer_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The Issuer of the assertion is missing or is not the IdP of this connection.',
    remedy: 'Compare the entity ID in the metadata of the IdP with the connection.',
  },
  saml_destination_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §3.2.2',
    cause: 'Destination is missing or is not our ACS URL.',
    remedy: 'Set the ACS (reply, single sign-on) URL at the IdP to exactly the one of the connection.',
  },
  saml_in_response_to_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.3',
    cause: 'The response does not answer the login that this browser started.',
    remedy: 'Start the login at the application. Logins begun at the portal of the IdP, and second uses of an answer, are refused.',
  },
  saml_issue_instant_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §1.3.3',
    cause: 'IssueInstant is missing, unreadable or in the future.',
    remedy: 'Check the clock of the IdP.',
  },
  saml_too_old: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.3',
    cause: 'The message was made too long ago.',
    remedy: 'Start the login again; if it repeats, check the clock of the IdP.',
  },
  saml_subject_missing: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The assertion has no Subject.',
    remedy: 'Configure a NameID for this application at the IdP (AD FS: add a claim rule for Name ID).',
  },
  saml_name_id_missing: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.2.3',
    cause: 'The Subject has no NameID, or an empty one.',
    remedy: 'Configure a NameID for this application at the IdP, and check that this person has a value for it.',
  },
  saml_name_id_encrypted: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'SAML Core §2.2.4',
    cause: 'The NameID is encrypted; this release reads only plain ones.',
    remedy: 'Turn off NameID encryption for this application at the IdP.',
  },
  saml_bearer_missing: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'There is no bearer SubjectConfirmation with data.',
    remedy: attackOrBug,
  },
  saml_recipient_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'Recipient is missing or is not our ACS URL.',
    remedy: 'Set the Recipient at the IdP (OneLogin: "Recipient" and "ACS URL") to exactly the ACS URL of the connection.',
  },
  saml_confirmation_expired: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'NotOnOrAfter of the bearer SubjectConfirmation is missing or has passed.',
    remedy: 'Start the login again; if it repeats, check the clock of the IdP.',
  },
  saml_confirmation_not_before: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The bearer SubjectConfirmation carries NotBefore, which the profile forbids.',
    remedy: 'Remove NotBefore from SubjectConfirmationData at the IdP.',
  },
  saml_conditions_missing: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The assertion has no Conditions.',
    remedy: 'Set the audience of this application at the IdP.',
  },
  saml_condition_unknown: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.5.1.1',
    cause: 'The assertion holds a condition that we do not know, so its validity is indeterminate.',
    remedy: 'Remove the custom condition at the IdP.',
  },
  saml_not_yet_valid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.5.1.2',
    cause: 'The assertion is not valid yet.',
    remedy: 'Check the clock of the IdP: it is more than three minutes ahead.',
  },
  saml_expired: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.5.1.2',
    cause: 'The assertion has expired.',
    remedy: 'Start the login again; if it repeats, check the clock of the IdP.',
  },
  saml_audience_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.5.1.4',
    cause: 'The assertion has no AudienceRestriction, or is made for somebody else.',
    remedy: 'Set the audience (SP entity ID) at the IdP to exactly the one of the connection.',
  },
  saml_authn_statement_missing: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.1.4.2',
    cause: 'The assertion does not say that the person authenticated.',
    remedy: 'Set the IdP to send an AuthnStatement.',
  },
  saml_authn_instant_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.7.2',
    cause: 'AuthnInstant is missing, unreadable or in the future.',
    remedy: 'Check the clock of the IdP.',
  },
  saml_authn_not_fresh: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'SAML Core §3.4.1',
    cause: 'A fresh login was asked for (ForceAuthn), but the IdP answered from an older session.',
    remedy: 'Let the IdP honour ForceAuthn for this application.',
  },
  saml_session_over: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §2.7.2',
    cause: 'SessionNotOnOrAfter has passed: the session at the IdP is over.',
    remedy: 'Sign in at the IdP again.',
  },

  // OpenID Connect
  oidc_discovery_failed: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'OIDC Discovery §4',
    cause: 'The discovery document of the issuer could not be read.',
    remedy:
      'Open <issuer>/.well-known/openid-configuration in a browser and compare the issuer with the connection, trailing slash included.',
  },
  oidc_issuer_mismatch: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 9207 §2.4',
    cause: 'The answer, or the discovery document, comes from another issuer than the connection names.',
    remedy: 'Set the issuer of the connection to the exact `issuer` value of the discovery document.',
  },
  oidc_answer_malformed: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'OIDC Core §3.1.2.5',
    cause: 'The answer of the IdP lacks code or state, or repeats a parameter.',
    remedy: notFromIdp,
  },
  oidc_state_mismatch: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 6749 §10.12',
    cause: 'The answer does not belong to the login that this browser started.',
    remedy: 'Start the login again, in one window.',
  },
  oidc_login_refused: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.6',
    cause: 'The IdP answered with an error instead of a login.',
    remedy: 'Look at the sign-in log of the IdP: often the person is not assigned to the application.',
  },
  oidc_step_up_unmet: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Unmet Authentication Requirements §2',
    cause: 'The IdP cannot sign this person in with the strength that was asked for.',
    remedy: 'Enrol a second factor at the IdP, or set the step-up acr of the connection to one that the IdP knows.',
  },
  oidc_code_refused: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'RFC 6749 §5.2',
    cause: 'The token endpoint of the IdP refused the code or our credentials.',
    remedy: 'Check client ID and client secret of the connection, and whether the secret has expired at the IdP.',
  },
  oidc_id_token_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'OIDC Core §3.1.3.7',
    cause: 'The ID token is missing or fails a rule: signature, algorithm, issuer, audience, nonce or time.',
    remedy: 'Check client ID and issuer of the connection, and the clock of the IdP.',
  },
  oidc_authn_not_fresh: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.1',
    cause: 'A fresh login was asked for (prompt=login), but the IdP answered from an older session.',
    remedy: 'Let the IdP honour prompt=login for this application.',
  },
  oidc_userinfo_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'OIDC Core §5.3.2',
    cause: 'The userinfo endpoint failed or speaks about another person than the ID token.',
    remedy: 'Check the scopes of the connection, or turn off userinfo.',
  },
  upstream_fetch_failed: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'ours',
    cause: 'The IdP could not be reached, took too long, or answered with too much.',
    remedy: 'Try again; if it repeats, check that the IdP is reachable from the broker.',
  },
  login_state_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'security.md §8',
    cause: 'The state kept for this login is not readable.',
    remedy: 'Start the login again.',
  },

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

export type UpstreamErrorReason = keyof typeof upstreamErrors

/** A refusal. `reason` names its line in the catalogue; `detail` is for log and admin and holds no secret and no personal value. */
export type UpstreamRefusal = { readonly reason: UpstreamErrorReason; readonly detail?: Readonly<Record<string, string | number>> }

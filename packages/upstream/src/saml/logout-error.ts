/** Why a SAML logout message is refused, and what is wrong with a message that came by a redirect. */
import { attackOrBug, notFromIdp, type UpstreamErrorEntry } from '../error-entry.js'

const noLogoutBelieved = 'Nothing was ended by it.'

export const samlLogoutErrors = {
  // The redirect binding
  saml_query_malformed: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.4.4.1',
    cause: 'A parameter of the address is repeated, has an encoded or misspelt name, or cannot be decoded.',
    remedy: notFromIdp,
  },
  saml_query_unsigned: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Bindings §3.4.4.1',
    cause: 'The message came by a redirect without SigAlg and Signature.',
    remedy: 'Turn on signing of messages for this application at the IdP (SimpleSAMLphp: redirect.sign; others: signed logout).',
  },
  saml_message_ambiguous: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.4.4',
    cause: 'The request carries both SAMLRequest and SAMLResponse.',
    remedy: attackOrBug,
  },
  saml_url_encoding_refused: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.4.4',
    cause: 'SAMLEncoding names another encoding than DEFLATE.',
    remedy: 'Set the IdP to the DEFLATE encoding, which is the only one of the specification.',
  },
  saml_deflate_invalid: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.4.4.1',
    cause: 'The message is not one whole DEFLATE stream.',
    remedy: notFromIdp,
  },

  // SOAP
  saml_soap_malformed: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.2.2',
    cause: 'The request is not a SOAP 1.1 envelope with one message in its body and without headers.',
    remedy: 'Send logout by HTTP-POST or HTTP-Redirect instead.',
  },

  // Logout
  saml_message_missing: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Bindings §3.4.4',
    cause: 'The request carries no SAMLRequest and no SAMLResponse.',
    remedy: 'Check that the IdP sends its messages with the HTTP-Redirect or the HTTP-POST binding.',
  },
  saml_not_a_logout_message: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'SAML Core §3.7',
    cause: 'The message is not a LogoutRequest in SAMLRequest or a LogoutResponse in SAMLResponse.',
    remedy: 'Check which address the IdP uses for what: logout goes to the single logout URL, logins go to the ACS URL.',
  },
  saml_logout_issuer_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.4.4.1',
    cause: 'The Issuer of the logout message is missing or is not the IdP of this connection.',
    remedy: 'If the IdP names itself otherwise in logout messages (Entra does), set sloIssuer of the connection to that name.',
  },
  saml_logout_destination_wrong: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Bindings §3.4.5.2',
    cause: 'Destination is missing or is not the single logout URL that the message came to.',
    remedy: 'Set the single logout URL at the IdP to exactly the one in our metadata.',
  },
  saml_logout_expired: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §3.7.1',
    cause: 'NotOnOrAfter of the LogoutRequest has passed or cannot be read.',
    remedy: 'Check the clock of the IdP.',
  },
  saml_logout_replayed: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Profiles §4.4.3',
    cause: `This logout message was used before. ${noLogoutBelieved}`,
    remedy: 'Sign out at the IdP again: every message counts once.',
  },
  saml_logout_unsolicited: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'SAML Core §3.7.2',
    cause: 'The LogoutResponse does not answer a logout that this browser began.',
    remedy: 'Sign out at the application again.',
  },
  saml_logout_failed: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'SAML Core §3.7.3.2',
    cause: 'The IdP answered that it has not ended its session. You are signed out here, and still signed in there.',
    remedy: 'Sign out at the IdP itself. Its admin finds the reason in its log: AD FS wants the exact NameID and SessionIndex.',
  },
  saml_logout_unavailable: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'SAML Metadata §2.4.1',
    cause: 'The connection knows no single logout address of its IdP.',
    remedy: 'Load metadata that names one, or set sloUrl. Google and JumpCloud have none.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

/**
 * Everything that can be said of an IdP's metadata, in plain words: what was found, how bad it is, and how to mend it.
 *
 * An error keeps the metadata from being used. A warning does not: metadata keys are raw trust, so nothing that only gets old stops a
 * login. A notice tells what this vendor does differently. `docs/reference/errors.md` is printed from here.
 */
export type Severity = 'error' | 'warning' | 'notice'
type Entry = { readonly severity: Severity; readonly spec: string; readonly cause: string; readonly remedy: string }

const error = (spec: string, cause: string, remedy: string) => ({ severity: 'error', spec, cause, remedy }) as const
const warning = (spec: string, cause: string, remedy: string) => ({ severity: 'warning', spec, cause, remedy }) as const
const notice = (cause: string, remedy: string) => ({ severity: 'notice', spec: 'ours', cause, remedy }) as const

const getXml = 'Download the metadata of this one application at the IdP and give the XML file unchanged.'
const nothingToDo = 'Nothing needs to be done.'

export const metadataFindings = {
  // The address
  url_insecure: error(
    'OWASP SSRF prevention',
    'The address of the metadata is not a plain https URL.',
    'Give the https address, without user name or password.',
  ),
  url_not_public: error(
    'OWASP SSRF prevention',
    'The host of the metadata is, or also has, an address that is not public.',
    'Publish the metadata on a public host, give the file instead, or ask the operator of this installation to allow the origin.',
  ),
  url_unreachable: error(
    'ours',
    'The address of the metadata does not answer: no such name, no valid certificate for TLS, or no answer in time.',
    'Open the address from outside of the company’s network. What is configured goes on working.',
  ),
  url_redirects: error(
    'ours',
    'The address of the metadata redirects, and redirects are not followed.',
    'Give the address that it leads to.',
  ),
  url_status: error(
    'ours',
    'The address of the metadata answers with an HTTP error.',
    'Open the address in a browser without signing in; the application may have been deleted.',
  ),
  // The document
  document_is_html: error('ours', 'This is a web page, not metadata: the address wants a sign-in, or shows the file in a page.', getXml),
  document_is_json: error(
    'ours',
    'This is JSON. It may be the discovery document of OpenID Connect.',
    'Make an OpenID Connect connection of it, or download the SAML metadata (XML).',
  ),
  document_is_certificate: error(
    'ours',
    'This is a certificate alone.',
    'Give it in the field for certificates together with entity ID and SSO URL, or download the metadata (XML).',
  ),
  document_is_message: error('SAML Core §3.2', 'This is a SAML message of one login, not metadata.', getXml),
  document_not_metadata: error(
    'SAML Metadata §2.3',
    'This is XML, but its root is neither EntityDescriptor nor EntitiesDescriptor of SAML 2.0 metadata.',
    getXml,
  ),
  document_not_xml: error(
    'XML 1.0 §2.1',
    'This is not well-formed XML, or it uses what metadata has no use for (CDATA, processing instructions).',
    getXml,
  ),
  document_doctype: error(
    'XML 1.0 §2.8',
    'The document declares a DOCTYPE. Genuine metadata has none; it is how entity bombs and file reads begin.',
    'Find out who made this file. Download it again from the IdP itself.',
  ),
  document_not_utf8: error('XML 1.0 §4.3.3', 'The document is not in UTF-8.', 'Save it as UTF-8, or download it again.'),
  document_too_large: error(
    'ours',
    'The document is longer than metadata of an IdP ever is. It may be the list of a whole federation.',
    'Give the metadata of the one IdP that is meant.',
  ),
  document_too_complex: error(
    'ours',
    'The document has more elements, attributes or levels than metadata of an IdP ever has.',
    'Give the metadata of the one IdP that is meant.',
  ),
  // Whom it describes
  entity_missing: error('SAML Metadata §2.3.2', 'The metadata describes no entity.', getXml),
  entity_several: error('SAML Metadata §2.3.1', 'The metadata describes several IdPs.', 'Say by its entity ID which one is meant.'),
  entity_not_in_document: error(
    'SAML Metadata §2.3.1',
    'No IdP of this metadata has the entity ID that was asked for.',
    'Compare the entity ID letter by letter, or give the metadata of the IdP that is meant.',
  ),
  entity_listed_twice: error(
    'SAML Metadata §2.3.1',
    'Two IdPs of this metadata have the same entity ID, so nobody can tell which keys count.',
    'Ask whoever publishes it to correct it, or give the metadata of the one IdP.',
  ),
  entity_id_invalid: error(
    'SAML Metadata §2.2.1',
    'The entity ID is missing, or longer than 1024 characters.',
    'Set the entity ID at the IdP and download the metadata again.',
  ),
  role_sp_only: error(
    'SAML Metadata §2.4.4',
    'This is metadata of a service provider (an application), not of an identity provider.',
    'At the IdP, download the IdP metadata. Ours is what the IdP is given, not what we are given.',
  ),
  role_missing: error(
    'SAML Metadata §2.4.3',
    'The entity has no IDPSSODescriptor for SAML 2.0.',
    'Turn on SAML 2.0 for this application at the IdP; WS-Federation or SAML 1.1 is not enough.',
  ),
  // Where it is reached
  endpoint_missing: error(
    'SAML Metadata §2.4.3',
    'The metadata names no SingleSignOnService with HTTP-Redirect or HTTP-POST.',
    'Turn on one of the two bindings at the IdP.',
  ),
  endpoint_insecure: error(
    'SAML Bindings §3.4.5.1',
    'The sign-in address of the IdP is not an https URL.',
    'Give the IdP a certificate for TLS and publish its https address.',
  ),
  endpoint_insecure_ignored: warning(
    'SAML Bindings §3.4.5.1',
    'One of several addresses of the IdP is not an https URL and is not used.',
    'Take the http address out of the metadata.',
  ),
  endpoint_loopback: error(
    'ours',
    'The sign-in address of the IdP leads to the machine of whoever follows it (localhost, 127.0.0.1), and this installation is public.',
    'Publish the address under which people reach the IdP.',
  ),
  endpoint_loopback_ignored: warning(
    'ours',
    'One of several addresses of the IdP leads to the machine of whoever follows it (localhost, 127.0.0.1) and is not used.',
    'Take that address out of the metadata.',
  ),
  // Keys
  signing_key_missing: error(
    'SAML Metadata §2.4.1.1',
    'The metadata holds no signing certificate.',
    'Export the metadata again, with the signing certificate.',
  ),
  signing_key_unusable: error(
    'RFC 5280',
    'No signing certificate is usable: it or its dates are unreadable, or a key that is neither RSA of 2048 to 4096 bits nor EC on P-256, P-384 or P-521.',
    'Make a new signing key at the IdP and download the metadata again.',
  ),
  certificate_unusable: warning(
    'RFC 5280',
    'One of several signing certificates, or a date of it, is unreadable, or its key is too weak; it is left out.',
    'Take it away at the IdP if nothing is signed with it any more.',
  ),
  certificate_expired: warning(
    'SAML Metadata §2.4.1.1',
    'A signing certificate has expired. It is still trusted, because the metadata says so.',
    'Make a new certificate at the IdP; the old one may go when nothing is signed with it.',
  ),
  certificate_expires_soon: warning(
    'RFC 5280 §4.1.2.5',
    'A signing certificate expires within 60 days.',
    'Plan the rollover at the IdP: add the new certificate first, switch to it, then take the old one away.',
  ),
  certificate_not_yet_valid: warning(
    'RFC 5280 §4.1.2.5',
    'A signing certificate is valid only from a later day on.',
    'Check the clock of the IdP; a next certificate that is published early is fine.',
  ),
  certificate_sha1: warning(
    'RFC 6194',
    'A signing certificate is itself signed with SHA-1. Its key is what counts here, yet it is old.',
    'Make a new certificate with SHA-256 at the next occasion.',
  ),
  certificates_several: notice(
    'The metadata lists several signing certificates. All are trusted together, as a rollover needs it.',
    nothingToDo,
  ),
  certificates_too_many: warning(
    'ours',
    'The metadata lists more signing certificates than a connection holds; those that expire first are left out.',
    'Take away retired keys at the IdP.',
  ),
  certificate_chain: warning(
    'SAML Metadata IOP §2.6.1',
    'One key is described by a chain of certificates. Only the first of them is trusted: the others are authorities, not signers.',
    nothingToDo,
  ),
  sha1_only: error(
    'RFC 9231',
    'The IdP announces signatures with SHA-1 only, which are refused at every login.',
    'Choose SHA-256 as signature and digest algorithm of this application at the IdP.',
  ),
  // How long it holds, who vouches for it
  valid_until_passed: warning(
    'SAML Metadata §2.3.2',
    'The time until which this metadata calls itself valid has passed. Logins go on; metadata that was fetched like this changes nothing.',
    'Download it again; if it still says so, mend the IdP.',
  ),
  valid_until_soon: warning(
    'SAML Metadata §2.3.2',
    'The time until which this metadata calls itself valid ends within 60 days.',
    'Download it again before then, or give its URL.',
  ),
  valid_until_unreadable: warning(
    'SAML Metadata §2.3.2',
    'The time until which this metadata calls itself valid cannot be read.',
    'Correct it at the IdP: xs:dateTime in UTC.',
  ),
  signature_absent: error(
    'SAML Metadata §3',
    'A certificate is pinned for this metadata, and the metadata is not signed.',
    'Give the signed metadata, or remove the pinned certificate.',
  ),
  signature_invalid: error(
    'SAML Metadata §3',
    'The signature of the metadata was not made by the pinned certificate, or does not cover the whole document.',
    'Ask whoever publishes it for the present signing certificate of the metadata. Until then it is not used.',
  ),
  signature_sha1: error(
    'SAML Metadata §3',
    'The metadata is signed with SHA-1, and a certificate is pinned for it.',
    'Ask whoever publishes it to sign with SHA-256.',
  ),
  signature_broken: error(
    'XML Signature §3.2',
    'The metadata is signed, and was changed after signing: its signature does not hold with the certificate that it carries.',
    'Load the file as the IdP gives it, and do not copy it out of a browser or an editor, which rewrite it.',
  ),
  signature_intact: notice(
    'The metadata is signed by the certificate that it carries, whose fingerprint the detail names, and was not changed since. That says nothing of who signed it: the https address, or whoever gave the file, vouches for that.',
    'Pin that certificate, if you know its fingerprint from a second source, so that every refresh is checked. Until then a refresh signed by nobody, or by a certificate that the connection does not know, waits for you.',
  ),
  signature_unchecked: notice(
    'The metadata is signed, by means or a key that cannot be checked, and no certificate is pinned. The https address, or whoever gave the file, vouches for it.',
    'Pin the certificate that signs the metadata if you know it from a second source.',
  ),
  // What it wants and offers
  requests_wanted_signed: warning(
    'SAML Metadata §2.4.3',
    'The IdP wants signed sign-in requests.',
    'The preset signs them: give the IdP our metadata, which holds the certificate, or turn the demand off at the IdP.',
  ),
  name_id_transient_only: warning(
    'SAML Core §8.3.8',
    'The IdP offers transient NameIDs only: another one at every login, so nobody would be recognised.',
    'Send an attribute that never changes and name it as stable id of the connection, or turn on persistent NameIDs.',
  ),
  name_id_mutable: notice(
    'The NameID is an e-mail address or user name, which changes when the person’s name does: she would then be somebody else here.',
    'Send an attribute that never changes and name it as stable id of the connection.',
  ),
  other_protocols_ignored: notice('The metadata also describes other protocols (WS-Federation). They are not read.', nothingToDo),
  // What this vendor does
  tenant_keys_not_of_application: warning(
    'ours',
    'This is the metadata of the whole directory, without the key of this one application.',
    'Take the “App Federation Metadata Url” of the application: it ends in ?appid=….',
  ),
  no_metadata_url: notice(
    'This vendor has no metadata URL: a new certificate must be loaded here by hand.',
    'Note the day on which the certificate expires; the connection reminds you 60, 30, 14, 7 and 1 days before.',
  ),
  sha1_by_default: notice(
    'This vendor has signed with SHA-1 unless told otherwise, which is refused here.',
    'Choose SHA-256 for signature and digest of this application before the first login.',
  ),
  no_mfa_evidence: notice(
    'A login at this vendor does not say whether a second factor was used.',
    'Ask for a second factor by a rule of the policy, or send an attribute that says it.',
  ),
  stable_id_needs_mapping: notice(
    'This vendor sends no identifier that never changes unless one is mapped.',
    'Map one as the guide of this vendor says, and name it as stable id of the connection.',
  ),
  groups_need_filter: notice(
    'Groups are sent only when the application names an attribute and a filter for them.',
    'Add the group attribute at the IdP as the guide of this vendor says.',
  ),
  groups_overage: notice(
    'Somebody in more than 150 groups arrives without them: her groups are unknown, not empty.',
    'Limit the groups of the application to those assigned to it.',
  ),
  claim_rules_needed: notice(
    'Nothing is sent without a rule, not even the NameID.',
    'Add the claim rules that the guide of this vendor lists.',
  ),
  encrypts_when_offered: notice(
    'This vendor encrypts as soon as it knows an encryption certificate of ours.',
    'Give it our metadata as it is, and change nothing in it by hand.',
  ),
  session_end_is_assertion_end: notice(
    'This vendor sends the end of the assertion, minutes away, as the end of the session.',
    'The preset ignores it; the session ends as the policy says.',
  ),
  authn_instant_is_issue_time: notice(
    'This vendor calls the time of the answer the time of the sign-in, so a fresh sign-in cannot be told from an old one.',
    'The preset believes it only where we demanded a fresh sign-in.',
  ),
  recipient_typed_by_hand: notice(
    'Recipient and audience are typed by hand at this vendor; a wrong one is the usual first failure.',
    'Copy the ACS URL into Recipient, ACS URL and its validator, and our entity ID into Audience.',
  ),
  requested_class_ignored: notice(
    'This vendor ignores what sign-in is asked for unless the application allows it.',
    'Turn it on at the application before a step-up is relied on.',
  ),
  logout_offered: notice(
    'The IdP offers single logout, and tells us of its own: the connection is set to it, by the binding that the detail names.',
    'Give the IdP our metadata again if it was loaded before: it names our logout addresses and the certificate of our signature.',
  ),
  logout_unusable: warning(
    'SAML Metadata §2.4.1',
    'The IdP lists single logout addresses, and none is an https URL with HTTP-Redirect or HTTP-POST. Nobody is signed out there by us.',
    'Turn on one of the two bindings for single logout at the IdP.',
  ),
  logout_needs_certificate: notice(
    'This vendor takes logout messages only if they are signed, and only once it has the certificate.',
    'Load our metadata at the IdP, or upload the certificate from it for single logout.',
  ),
  logout_redirect_only: notice('Single logout works by redirect only.', nothingToDo),
  logout_unsupported: notice('This vendor has no single logout.', 'Limit the session by policy; deprovision by SCIM.'),
  entity_id_typed_by_hand: notice(
    'The entity ID is chosen by the IdP’s admin at this vendor and may be the same at two companies.',
    'Make it unique, for example the URL of this connection.',
  ),
  keys_of_whole_realm: notice('All active keys of the realm are listed, those of other uses included. All are trusted.', nothingToDo),
} as const satisfies Record<string, Entry>

export type MetadataFindingCode = keyof typeof metadataFindings
export type MetadataFinding = { readonly code: MetadataFindingCode; readonly detail?: Readonly<Record<string, string | number>> }

export const severityOf = ({ code }: MetadataFinding): Severity => metadataFindings[code].severity
export const isError = (finding: MetadataFinding): boolean => severityOf(finding) === 'error'

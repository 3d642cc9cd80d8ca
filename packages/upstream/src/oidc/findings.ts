/**
 * Everything that can be said of an OpenID provider before a connection to it is saved: what was found, how bad it is, how to mend it.
 *
 * An error keeps the connection from working. A warning does not. A notice tells what this vendor does differently. The severities and the
 * shape are those of SAML metadata (`saml/metadata-findings`). `docs/reference/errors.md` is printed from here.
 */

export type Severity = 'error' | 'warning' | 'notice'
type Entry = { readonly severity: Severity; readonly spec: string; readonly cause: string; readonly remedy: string }

const error = (spec: string, cause: string, remedy: string) => ({ severity: 'error', spec, cause, remedy }) as const
const warning = (spec: string, cause: string, remedy: string) => ({ severity: 'warning', spec, cause, remedy }) as const
const notice = (cause: string, remedy: string) => ({ severity: 'notice', spec: 'ours', cause, remedy }) as const

export const oidcFindings = {
  // The discovery document
  discovery_unreachable: error(
    'OIDC Discovery §4',
    'The discovery document cannot be fetched: no such host, no valid certificate for TLS, a private address, or no answer in time.',
    'Open <issuer>/.well-known/openid-configuration from outside of the company’s network; it must answer there.',
  ),
  discovery_absent: error(
    'OIDC Discovery §4',
    'There is no discovery document at this address.',
    'Copy the issuer from the application at the IdP: neither the sign-in page nor the address of the company’s portal is it.',
  ),
  discovery_not_json: error(
    'OIDC Discovery §4.2',
    'What is at this address is no JSON: a sign-in page, or SAML metadata.',
    'Compare the issuer with the discovery document in a browser that is signed in nowhere; for SAML metadata make a SAML connection.',
  ),
  discovery_malformed: error(
    'OIDC Discovery §3',
    'The document is JSON and no discovery document; the detail names the first wrong member.',
    'Copy the issuer from the application at the IdP.',
  ),
  issuer_mismatch: error(
    'OIDC Discovery §4.3',
    'The document names another issuer than was typed. It is compared character for character.',
    'Use the issuer of the document, which the detail shows.',
  ),
  issuer_slash: error(
    'OIDC Discovery §4.3',
    'The issuer of the document and the typed one differ by the slash at the end, and by nothing else.',
    'Use the issuer of the document, which the detail shows.',
  ),
  issuer_template: error(
    'learn.microsoft.com: OpenID Connect on the Microsoft identity platform',
    'This is an authority for every Microsoft tenant of the world (common, organizations): its issuer holds {tenantid}.',
    'Use https://login.microsoftonline.com/<tenant id>/v2.0, or keep this one and list the tenant ids that are trusted (tenantIds).',
  ),
  tenant_unknown: error(
    'ours',
    'This issuer signs in everybody’s customers, and nothing says which of them belong to this company.',
    'Google: list the Workspace domains (hostedDomains). Entra: list the tenant ids (tenantIds).',
  ),
  configuration_invalid: error(
    'ours',
    'The configuration contradicts itself; the detail says where.',
    'Correct the member that the detail names.',
  ),
  authorization_endpoint_missing: error(
    'OIDC Discovery §3',
    'The document names no https address of an authorization endpoint.',
    'Turn on the authorization code flow at the IdP. If it is on, the IdP is behind a proxy that does not tell it its public address.',
  ),
  token_endpoint_missing: error(
    'OIDC Discovery §3',
    'The document names no https address of a token endpoint.',
    'The implicit flow alone is not enough: turn on the authorization code flow at the IdP.',
  ),
  jwks_uri_missing: error(
    'OIDC Discovery §3',
    'The document names no https address of the signing keys (jwks_uri).',
    'Let the IdP sign ID tokens with RS256 or ES256 and publish its keys.',
  ),
  code_flow_unsupported: error(
    'OIDC Core §3.1',
    'The IdP does not offer the response type “code”.',
    'Turn on the authorization code flow for the application.',
  ),
  keys_unusable: error(
    'RFC 7517 §5',
    'The key set of the IdP cannot be read, or holds no signing key that may be believed.',
    'Sign with RSA of 2048 to 4096 bits, EC on P-256, P-384 or P-521, or Ed25519.',
  ),
  algorithms_unsupported: error(
    'RFC 8725 §3.1',
    'The IdP signs ID tokens with none of the algorithms that this connection allows (HS256 and none are never believed).',
    'Let the application sign with RS256, PS256, ES256 or EdDSA, or allow what the detail shows (idTokenAlgorithms).',
  ),
  client_authentication_unsupported: error(
    'OIDC Core §9',
    'The IdP does not offer this way of client authentication; the detail shows what it does.',
    'Change clientAuthentication of the connection to one of them.',
  ),
  assertion_algorithm_unsupported: warning(
    'OIDC Discovery §3',
    'For private_key_jwt the IdP names algorithms, and none of them is one of ours (RS256, PS256, ES256).',
    'Ask the vendor of the IdP, or use a client secret.',
  ),
  scopes_unsupported: warning(
    'OIDC Discovery §3',
    'The IdP does not list some of the scopes that would be asked for; it may refuse the request for them.',
    'Remove the scopes that the detail names, or define them at the IdP.',
  ),
  step_up_unsupported: warning(
    'OIDC Discovery §3',
    'The IdP does not list the value by which a second factor would be asked for, and may ignore it silently.',
    'Set stepUpAcr to one of the values in the detail, or to null, and let the IdP always ask for a second factor.',
  ),
  pkce_unlisted: notice(
    'The IdP does not say that it knows PKCE with S256. It is sent all the same; who does not know it ignores it.',
    'Nothing needs to be done.',
  ),
  // What the vendor does differently
  groups_overage: notice(
    'Above 200 groups Entra sends none of them. They are then unknown, and rules on groups do not grant.',
    'Send only groups assigned to the application, or let groups be read from Microsoft Graph (graph).',
  ),
  groups_limit: notice(
    'A login fails at the IdP when more than a hundred groups match the filter of the groups claim.',
    'Narrow the filter, and let group names share a prefix.',
  ),
  groups_need_claim: notice(
    'Groups are sent only after a claim, mapper or rule for them was made at the IdP.',
    'Make one that sends “groups” in the ID token.',
  ),
  groups_unavailable: notice(
    'This IdP sends no groups over OpenID Connect.',
    'Provision groups over SCIM, or write rules that do without.',
  ),
  no_auth_time: notice(
    'This IdP does not say when somebody signed in. After a revocation it lets nobody back in, unless the connection accepts the time of issue.',
    'Weigh freshnessEvidence in the guide; the default is strict.',
  ),
  auth_time_on_request: notice(
    'This IdP says when somebody signed in only when it is asked by the claims parameter.',
    'Keep authTimeClaim on, and turn on session age claims at the IdP.',
  ),
  no_step_up: notice(
    'A second factor cannot be demanded of this IdP, and it does not prove one.',
    'Demand it in the policy of the IdP, and leave scopes that need proof to connections that give it.',
  ),
  step_up_ignored: notice(
    'The IdP takes acr_values for a wish and may answer with less. What it answers is checked.',
    'Ask by an essential claim (stepUpAsk: claims_acr), and map the levels at the IdP.',
  ),
  step_up_by_context: notice(
    'Entra asks for a second factor by authentication contexts (c1 to c99), which need Conditional Access (P1).',
    'Publish a context, demand MFA for it in a policy, and set stepUpAcr to its id.',
  ),
  subject_pairwise: notice(
    'The subject differs from application to application: a new registration makes everybody somebody else.',
    'Map the stable id to an identifier of the directory where people must be the same across applications, before the first login.',
  ),
  issuer_shared: notice(
    'All customers of this vendor share one issuer. People are told apart by connection, and by what the token says of their company.',
    'Keep the client of this company for this connection alone.',
  ),
  email_unproven: notice(
    'The e-mail address of this IdP may be changed by people or admins and is not verified.',
    'Map nothing but display to it.',
  ),
  names_in_upn: notice(
    'Names come as upn and unique_name; access_token_issuer differs from the issuer, which is right so.',
    'Nothing needs to be done.',
  ),
  backchannel_logout_offered: notice(
    'The IdP says server to server when a session has ended.',
    'Register backchannelLogoutUri of the connection there, and let it send the session id (sid).',
  ),
  backchannel_logout_sessionless: notice(
    'Its logout tokens name no session: a logout in one browser ends all sessions of the person here.',
    'Nothing needs to be done, if that is what the company wants.',
  ),
  logout_frontchannel: notice(
    'This IdP ends sessions from a frame in the browser alone. Many browsers keep cookies out of frames, and then nothing ends.',
    'Register frontchannelLogoutUri of the connection, keep frontchannelLogout on, and let short sessions do the rest.',
  ),
  logout_claims: notice(
    'Sessions and people are named for a logout only by optional claims of the ID token.',
    'Add the optional claims sid and login_hint.',
  ),
  logout_none: notice(
    'This IdP tells nobody of a logout, and has no page to sign out at.',
    'Short sessions here take its place; signing out here ends what is here.',
  ),
  logout_siblings: notice(
    'Signing out at this IdP takes away the tokens of its other applications, too.',
    'Set logoutUpstream to false where people should stay signed in there.',
  ),
  logout_tokens_untyped: notice(
    'Before version 25 its logout tokens do not say that they are some (typ), and older ones not when they end (exp).',
    'Update it, or set logoutTokens to untyped.',
  ),
  logout_limited: notice('This IdP offers no back-channel logout.', 'Short sessions here take its place.'),
} as const satisfies Record<string, Entry>

export type OidcFindingCode = keyof typeof oidcFindings
export type OidcFinding = { readonly code: OidcFindingCode; readonly detail?: Readonly<Record<string, string>> }

export const isOidcError = ({ code }: OidcFinding): boolean => oidcFindings[code].severity === 'error'

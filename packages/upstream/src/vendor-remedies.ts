/**
 * What to change in one vendor's own console, where the remedy of the catalogue is not the whole answer: reason × vendor.
 *
 * A row is here only if that vendor's setting, default or habit is the usual cause. Facts: docs/how-to, and the vendors' own pages.
 */
import type { LoginFailureReason } from '@drawbridge/core/identity/login-failure'
import type { UpstreamErrorReason } from './error.js'
import type { OidcVendorId } from './oidc/vendors.js'
import type { VendorId } from './saml/metadata-vendors.js'

type Reason = UpstreamErrorReason | LoginFailureReason
/** Looked up by any text; written only with reasons that exist. */
type Table<Id extends string> = Readonly<Partial<Record<Id, Readonly<Record<string, string | undefined>>>>>
const table = <Id extends string>(rows: Readonly<Partial<Record<Id, Readonly<Partial<Record<Reason, string>>>>>>): Table<Id> => rows

export const samlRemedies = table<VendorId>({
  okta: {
    saml_audience_wrong: 'Okta: “Audience URI (SP Entity ID)” under General → SAML Settings is to be exactly our entity ID.',
    saml_destination_wrong: 'Okta: “Single sign-on URL”, and tick “Use this for Recipient URL and Destination URL”.',
    saml_recipient_wrong: 'Okta: tick “Use this for Recipient URL and Destination URL”, or correct “Recipient URL”.',
    saml_status_not_success: 'Okta: Reports → System Log; usually the person is not assigned to the application.',
    saml_signature_invalid:
      'Okta has one key per application: take “Metadata URL” of the Sign On tab of this application, not that of another or of the organisation.',
    saml_authn_not_fresh: 'Okta: “Honor Force Authentication” in the SAML settings is to be Yes.',
    mfa_missing:
      'Okta’s AuthnContextClassRef is a fixed setting and proves nothing: send the attribute session.amr with the expression session.amr.',
    nothing_granted: 'Okta sends no groups without a group attribute statement with a filter.',
  },
  entra: {
    saml_audience_wrong: 'Entra: “Identifier (Entity ID)” under Basic SAML Configuration is to be exactly our entity ID.',
    saml_destination_wrong: 'Entra: “Reply URL” is to be exactly our ACS URL, and the default one if there are several.',
    saml_recipient_wrong: 'Entra: “Reply URL” is to be exactly our ACS URL, and the default one if there are several.',
    saml_signature_invalid:
      'Entra signs each application with its own key: take “App Federation Metadata Url”, the one that ends in ?appid=, not that of the whole directory.',
    saml_algorithm_sha1: 'Entra: SAML Certificates → Edit → Signing Algorithm: SHA-256.',
    saml_authn_context_unmet:
      'Entra answers AADSTS75011 where requestedClassRefs names a class that the sign-in was not: remove requestedClassRefs and set stepUpClassRef to null.',
    saml_status_not_success:
      'Entra: Sign-in logs of the application. AADSTS75011: the class that we asked for; AADSTS50105: the person is not assigned.',
    saml_assertion_issuer_wrong: 'Entra’s issuer is https://sts.windows.net/<tenant id>/ with the slash at the end.',
    mfa_missing:
      'Entra knows no class for MFA: demand it by a Conditional Access policy for this application. Its evidence is authnmethodsreferences, never the class.',
    nothing_granted:
      'Entra sends group ids, not names, and none at all above 150 groups: choose “Groups assigned to the application” and name ids in the policy.',
  },
  google: {
    saml_audience_wrong: 'Google: “Entity ID” in the service provider details is to be exactly our entity ID.',
    saml_destination_wrong: 'Google: “ACS URL” in the service provider details is to be exactly ours.',
    saml_recipient_wrong: 'Google: “ACS URL” in the service provider details is to be exactly ours.',
    saml_signature_invalid:
      'Google has no metadata URL: validUntil of the file is the end of its certificate. Download the metadata again and apply it here.',
    saml_status_not_success:
      'Google: turn the application on for the organisational unit of this person (error app_not_configured_for_user).',
    saml_authn_not_fresh: 'Google does not honour ForceAuthn: set forceAuthn of the connection to false.',
    mfa_missing: 'Google says nothing of a second factor: demand it in the Workspace, and not by policy here.',
    identity_without_stable_id: 'Google sends an unset field as an empty attribute: fill the custom directory field for this person.',
  },
  pingone: {
    saml_authn_context_unmet:
      'PingOne takes only the first class asked for, and it must be the name of a sign-on policy of this application.',
    saml_session_over:
      'PingOne writes the end of the assertion as end of the session: set "mapping": {"idpSessionEnd": "ignore"}; check the clock, too.',
    saml_audience_wrong: 'PingOne: “Entity ID” of the application’s configuration is to be exactly ours.',
  },
  onelogin: {
    saml_recipient_wrong:
      'OneLogin: “Recipient” in the Configuration tab is typed by hand, beside “ACS (Consumer) URL”: both are to be our ACS URL.',
    saml_destination_wrong: 'OneLogin: “ACS (Consumer) URL” and its validator are to be our ACS URL.',
    saml_audience_wrong: 'OneLogin: “Audience (EntityID)” in the Configuration tab is to be exactly our entity ID.',
    saml_algorithm_sha1: 'OneLogin: SSO → SAML Signature Algorithm: SHA-256. Older applications stand at SHA-1.',
    saml_unsigned: 'OneLogin: “SAML signature element” is to be Assertion, Response or Both.',
    nothing_granted: 'OneLogin sends several groups as one text unless “multi-value parameter” of memberOf is on.',
  },
  jumpcloud: {
    saml_assertion_issuer_wrong: 'JumpCloud: “IdP Entity ID” is what your IT typed. Compare it with idpEntityId, character for character.',
    saml_response_issuer_wrong: 'JumpCloud: “IdP Entity ID” is what your IT typed. Compare it with idpEntityId, character for character.',
    saml_audience_wrong: 'JumpCloud: “SP Entity ID” is to be exactly our entity ID.',
    saml_status_not_success: 'JumpCloud: bind the application to a user group that this person is in.',
  },
  duo: {
    mfa_missing:
      'Duo: map the bridge attribute <AMR> to AMR; from directory sources it comes empty, and then only Duo’s own policy demands the factor.',
    saml_audience_wrong: 'Duo: “Entity ID” of the service provider section is to be exactly ours.',
  },
  auth0: {
    saml_algorithm_sha1:
      'Auth0’s default is SHA-1: in the settings of the SAML2 add-on set "signatureAlgorithm": "rsa-sha256" and "digestAlgorithm": "sha256".',
    saml_audience_wrong: 'Auth0: "audience" in the settings of the SAML2 add-on is to be our entity ID.',
    saml_recipient_wrong: 'Auth0: "recipient" in the settings of the SAML2 add-on is to be our ACS URL, or absent.',
    saml_destination_wrong: 'Auth0: "destination" in the settings of the SAML2 add-on is to be our ACS URL, or absent.',
  },
  adfs: {
    saml_subject_missing: 'AD FS sends no NameID without a rule: add an issuance transform rule with outgoing claim type “Name ID”.',
    saml_name_id_missing: 'AD FS: the rule for “Name ID” has no value for this person; look at the attribute that it takes.',
    saml_algorithm_sha1: 'AD FS: Relying Party Trust → Properties → Advanced → Secure hash algorithm: SHA-256.',
    saml_status_not_success:
      'AD FS: event log “AD FS/Admin” of that moment. MSIS7084 or MSIS1014: it wants our signature: set signRequests, and load our metadata there again.',
    saml_signature_invalid: 'AD FS rolls its token-signing certificate by itself: load its metadata again.',
    saml_encryption_cbc_refused: 'AD FS knows only AES-CBC: set contentEncryption of the connection to "gcm-or-cbc".',
    mfa_missing: 'AD FS says it in authnmethodsreferences: pass that claim through by a rule, and demand MFA in its access control policy.',
    nothing_granted: 'AD FS sends no groups without a claim rule: send http://schemas.xmlsoap.org/claims/Group.',
    identity_without_stable_id: 'AD FS: add a rule that sends the attribute that the connection names as its stable id (objectGUID, say).',
  },
  keycloak: {
    saml_unsigned: 'Keycloak: “Sign documents”, “Sign assertions” or both are to be on for this client.',
    saml_expired: 'Keycloak’s assertions live about a minute: synchronise both clocks, or raise “Assertion lifespan” of the client.',
    saml_audience_wrong: 'Keycloak: “Client ID” of the client is to be exactly our entity ID.',
    saml_recipient_wrong: 'Keycloak: “Assertion Consumer Service POST Binding URL” of the client is to be our ACS URL.',
    nothing_granted: 'Keycloak with “Full group path” sends /staff, not staff.',
  },
  pingfederate: {
    saml_assertion_issuer_wrong: 'PingFederate: a virtual server ID changes its entity ID: take the one of this partner.',
    saml_response_issuer_wrong: 'PingFederate: a virtual server ID changes its entity ID: take the one of this partner.',
    saml_status_not_success: 'PingFederate: server.log of that moment. It often wants our signature: set signRequests.',
    saml_authn_context_unmet: 'PingFederate: the requested class must be a value of its “Requested AuthN Context” selector.',
  },
  shibboleth: {
    saml_authn_context_unmet:
      'Shibboleth answers NoAuthnContext where it cannot do the class: configure REFEDS MFA there, or set stepUpClassRef to null.',
    identity_stable_id_not_stable:
      'Shibboleth’s NameID is transient by default: release subject-id or eduPersonUniqueId and name it as stable id.',
    saml_encrypted_assertion: 'Shibboleth encrypts as soon as our metadata holds a key: set encryption of the connection to "accepted".',
    nothing_granted: 'Shibboleth releases nothing without an attribute filter policy for our entity ID.',
  },
  simplesamlphp: {
    saml_unsigned: 'SimpleSAMLphp: set saml20.sign.assertion or saml20.sign.response to true for us.',
    saml_signature_invalid: 'SimpleSAMLphp: compare certificate in saml20-idp-hosted.php with the connection.',
    identity_stable_id_not_stable: 'SimpleSAMLphp: set NameIDFormat and an attribute that never changes in saml20-sp-remote.php.',
  },
})

export const oidcRemedies = table<OidcVendorId>({
  okta: {
    oidc_access_denied:
      'Okta: assign the person to the application. A groups claim that matches more than a hundred groups fails the login, too: narrow its filter.',
    oidc_step_up_unmet:
      'Okta: the authenticator that stepUpAcr demands is to be enabled and enrolled; on the Classic engine set maxAgeOnForce to 1.',
    oidc_issuer_mismatch:
      'Okta: the organisation’s issuer and that of a custom authorization server (/oauth2/default) are two: take the one of this application.',
    mfa_missing:
      'Okta ignores acr_values that it does not know: set stepUpAcr to urn:okta:loa:2fa:any, and say in the policy what it means.',
  },
  entra: {
    oidc_not_assigned:
      'Entra AADSTS50105: Enterprise applications → this application → Users and groups, or turn off “Assignment required”.',
    oidc_redirect_uri_unregistered: 'Entra AADSTS50011: App registration → Authentication → platform Web → our redirect URI.',
    oidc_client_secret_expired: 'Entra AADSTS7000222: Certificates & secrets → new client secret, and take its Value, not its Secret ID.',
    oidc_client_refused:
      'Entra AADSTS7000215: the Value of the client secret, not its Secret ID; AADSTS700016: the application is in another directory.',
    oidc_tenant_refused: 'Entra: list the directory’s tenant id in tenantIds if it belongs to this company.',
    oidc_issuer_mismatch:
      'Entra: the issuer ends in /v2.0; an application with accessTokenAcceptedVersion 1 or the v1 discovery document has another.',
    oidc_step_up_unmet: 'Entra ignores acr_values: publish an authentication context, demand MFA for it, and set stepUpAsk to claims_acrs.',
    oidc_userinfo_refused: 'Entra’s userinfo has nothing that the token lacks: set userinfo to false.',
    nothing_granted:
      'Entra: add the groups claim; above 200 groups none comes: set graph, or send only groups assigned to the application.',
    mfa_missing: 'Entra: say in the policy what the authentication context of stepUpAcr (c1, say) means.',
  },
  google: {
    oidc_tenant_refused: 'Google: the account is private or of another Workspace. List every domain of this company in hostedDomains.',
    oidc_authn_not_fresh:
      'Google knows no prompt=login: promptOnForce select_account, maxAgeOnForce null, and session age claims turned on.',
    mfa_missing: 'Google says nothing of a second factor: demand two-step verification in the Workspace, and not by policy here.',
    nothing_granted: 'Google sends no groups: let SCIM say them, or write rules on claims.',
    oidc_access_denied: 'Google: Admin console → Security → API controls: let this client be used, or make it internal.',
  },
  pingone: {
    oidc_step_up_unmet: 'PingOne: stepUpAcr is the name of a sign-on policy that is assigned to this application.',
  },
  onelogin: {
    mfa_missing: 'OneLogin says nothing of a second factor: demand it in OneLogin’s own policy.',
    nothing_granted: 'OneLogin: ask for the scope groups, and map it in Parameters.',
  },
  jumpcloud: {
    oidc_issuer_mismatch: 'JumpCloud’s issuer is https://oauth.id.jumpcloud.com/ with the slash at the end.',
    nothing_granted: 'JumpCloud: turn on “include group attribute”.',
    oidc_client_refused: 'JumpCloud: “Client Authentication Type” of the application is to be the clientAuthentication of the connection.',
  },
  duo: { mfa_missing: 'Duo: map amr as an attribute of the application.' },
  auth0: {
    oidc_id_token_algorithm: 'Auth0: Application → Advanced → OAuth → JSON Web Token signature algorithm: RS256.',
    oidc_issuer_mismatch: 'Auth0’s issuer ends in a slash; a custom domain is another issuer.',
    oidc_redirect_uri_unregistered: 'Auth0: “Allowed Callback URLs” of the application.',
    nothing_granted: 'Auth0 sends no groups by itself: add them in an Action, under a URL as name.',
  },
  adfs: {
    oidc_id_token_refused: 'AD FS: the client’s identifier is the audience; synchronise the clocks of both sides.',
    nothing_granted: 'AD FS: ask for allatclaims and add an issuance rule for group.',
    oidc_userinfo_refused: 'AD FS has only sub in userinfo: set userinfo to false.',
  },
  pingam: { oidc_step_up_unmet: 'PingAM: map the acr value to a journey in “OAuth2 Provider → Advanced OpenID Connect”.' },
  keycloak: {
    oidc_step_up_unmet: 'Keycloak: map the level of authentication to this acr value in the client, and use a flow with that level.',
    oidc_redirect_uri_unregistered: 'Keycloak: “Valid redirect URIs” of the client.',
    oidc_client_refused: 'Keycloak: “Client authentication” is to be on, and its secret the one of the connection.',
    nothing_granted: 'Keycloak: add the group membership mapper; with “Full group path” it sends /staff, not staff.',
  },
})

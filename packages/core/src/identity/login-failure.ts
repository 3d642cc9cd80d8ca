/**
 * Why a login failed after, or apart from, what the IdP's answer itself says: each reason with its stage, its cause and its remedy, in the
 * words of whoever administers. Reasons of the answer are in the catalogues of upstream; what the person reads is in `oauth/error`.
 */
import type { LoginStage } from './login-trace.js'

export type LoginFailureEntry = { readonly stage: LoginStage; readonly cause: string; readonly remedy: string }

export const loginFailures = {
  login_unsolicited: {
    stage: 'message',
    cause: 'An answer came that names no login which was started here: somebody began at the portal of the IdP.',
    remedy: 'Start at the application. If the tile in the portal is to work, let it open the start address of the application.',
  },
  relay_state_lost: {
    stage: 'message',
    cause: 'An answer to a login of ours came without the RelayState that names it: the IdP, or something before us, has dropped it.',
    remedy: 'Let the IdP send RelayState back as it came. A default or fixed RelayState at the IdP overwrites ours: take it out.',
  },
  request_not_of_browser: {
    stage: 'message',
    cause:
      'The answer came to a browser that has not started this login, or the login was over: answered already, ended by a sign-out, older than ten minutes, or begun in another browser or a private window.',
    remedy:
      'Start again, in one window, and let the browser keep our cookies. If it happens to everybody, compare the host in the ACS or redirect URL at the IdP with ours: another host is another cookie.',
  },
  identity_without_stable_id: {
    stage: 'mapping',
    cause: 'The login carries no usable value for the stable identifier of the person: none, several, or one that is too long.',
    remedy:
      'Send the attribute that the connection names as its stable id, with exactly one value for everybody; a test login shows what the IdP sends.',
  },
  identity_stable_id_not_stable: {
    stage: 'mapping',
    cause: 'The NameID is transient: another one at every login. It cannot say who somebody is.',
    remedy: 'Map an attribute that never changes as stable id of the connection, or set a persistent NameID at the IdP.',
  },
  identity_text_malformed: {
    stage: 'mapping',
    cause:
      'An attribute of the person holds text that is none: NUL, or half a character. Or the value of the link key (`scimLinkKey`) is longer than 512 characters.',
    remedy: 'Correct the value in the directory of the company.',
  },
  identity_mapping_failed: {
    stage: 'mapping',
    cause: 'An expression of the claim mapping of this connection has no result for this person.',
    remedy: 'Let the expression handle absent attributes; a test login shows what the IdP sends.',
  },
  login_replayed: {
    stage: 'admission',
    cause: 'This answer had been used before, or its login was over in the moment in which it was to be believed.',
    remedy:
      'Start again. If it repeats without anybody pressing "back" or "reload", something between the IdP and here sends answers twice.',
  },
  evidence_below_barrier: {
    stage: 'admission',
    cause: 'The answer was made before access was taken back (of the person, the connection or the tenant), or in the same second.',
    remedy: 'Sign in again. If it repeats, the clock of the IdP is behind ours.',
  },
  idp_session_ended: {
    stage: 'admission',
    cause: 'While this login was under way, the IdP told us that its session with the person is over.',
    remedy: 'Sign in again. If it repeats, the IdP sends a logout with every login: look at its single logout of this application.',
  },
  login_not_fresh: {
    stage: 'admission',
    cause: 'After access was taken back only a fresh sign-in counts; one was demanded, and the IdP did not say that it had taken place.',
    remedy:
      'Let the IdP honour ForceAuthn (SAML) or prompt=login (OpenID Connect) and say when somebody signed in; see authnInstant and freshnessEvidence of the connection.',
  },
  subject_deactivated: {
    stage: 'admission',
    cause: 'The person is deactivated: here by an admin, or in the directory that provisions this tenant.',
    remedy: 'If she is to come in, activate her in the directory, or reinstate her here.',
  },
  subject_not_provisioned: {
    stage: 'admission',
    cause: 'Several people of the directory have the key by which she would be linked, or the one who has it is linked to somebody else.',
    remedy: 'Make the link key unique in the directory; link by an identifier, never by an e-mail address.',
  },
  subject_not_in_directory: {
    stage: 'admission',
    cause: 'This tenant lets in only whom its directory has provisioned by SCIM, and the directory does not know her.',
    remedy:
      'Assign her to the application in the directory and wait for its next synchronisation; then compare the link key of both sides.',
  },
  subject_not_invited: {
    stage: 'admission',
    cause: 'This tenant lets in only people who were invited, and there is no open invitation for her on this connection.',
    remedy: 'Invite her, by the value that the login carries: a test login shows it.',
  },
  address_of_another: {
    stage: 'admission',
    cause: 'The login claims an e-mail address in a domain that another company has proven to be its own.',
    remedy: 'Send an address of a domain of this company. If the domain is this company’s, prove it here.',
  },
  directory_resync_pending: {
    stage: 'admission',
    cause: 'The database was restored, and the directory has not been synchronised anew since: she may have left in what was lost.',
    remedy:
      'Restart the provisioning of this application at the directory and wait for the whole cycle; then say so: drawbridge connection resynced. Whom the directory has not named by then stays out, and is listed there.',
  },
  domain_proof_missing: {
    stage: 'admission',
    cause: 'The domain of her e-mail address, or of the address by which she would be linked, is not proven at present.',
    remedy: 'Publish the DNS record of the domain again, then verify it.',
  },
  mfa_missing: {
    stage: 'policy',
    cause: 'The policy demands a stronger sign-in than the IdP has proven, and asking for it once did not help.',
    remedy:
      'Compare acr and amr of the trace with what the policy counts as a second factor (`strength`), and let the IdP demand one for this application and say so in its answer.',
  },
  nothing_granted: {
    stage: 'policy',
    cause: 'No rule of the policy grants any of the scopes that were asked for.',
    remedy: 'Read the explanation of each scope: often the groups that the rule names are not those that the IdP sends.',
  },
  session_ended: {
    stage: 'policy',
    cause: 'The session is over: by the longest life that the policy allows, or because the IdP ended its own.',
    remedy: 'Sign in again. If it happens at once, the IdP sends an end of session that is too near: see idpSessionEnd of the mapping.',
  },
} as const satisfies Record<string, LoginFailureEntry>

export type LoginFailureReason = keyof typeof loginFailures
export const isLoginFailure = (reason: string): reason is LoginFailureReason => Object.hasOwn(loginFailures, reason)

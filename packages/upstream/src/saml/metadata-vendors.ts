/**
 * Which product made this metadata, and what is best for a connection to it: one row per vendor.
 *
 * A preset is a proposal. The admin sees it, whatever she writes wins, and it is used when a connection is made, never afterwards:
 * another stable id would make everybody somebody else. Whoever imitates a vendor gains nothing by it but that vendor's defaults.
 */
import type { MetadataFindingCode } from './metadata-findings.js'

export type VendorId = keyof typeof vendors
/** Members of a SAML connection's configuration. */
export type VendorPreset = {
  readonly stableIdAttribute?: string
  readonly groupsAttribute?: string
  /** null: ask for a fresh sign-in alone, because this vendor knows no class for a second factor. */
  readonly stepUpClassRef?: string | null
  /** What this vendor’s AuthnInstant is worth: time of the sign-in, or time of the answer unless a sign-in was demanded. */
  readonly authnInstant?: 'when-forced'
  /** The IdP wants our signature on sign-in requests. */
  readonly signRequests?: true
  readonly mapping?: {
    readonly idpSessionEnd?: 'honour' | 'ignore'
    readonly methods?: readonly string[]
    readonly authnContext?: 'ignore'
    readonly claims?: Readonly<Record<string, { readonly from: readonly string[]; readonly type?: 'string' | 'list' }>>
  }
}
export type Vendor = {
  readonly name: string
  /** One of the two is enough. */
  readonly entityId?: RegExp
  readonly signInUrl?: RegExp
  readonly preset: VendorPreset
  /** Of several that the metadata lists, the binding of logout messages that it is known to answer. */
  readonly logoutBinding?: 'redirect' | 'post'
  /** What it calls itself in logout messages, where that is not its entity ID. */
  readonly logoutIssuer?: (entityId: string) => string
  /** Which attribute never changes, in words. */
  readonly stableId: string
  readonly notices: readonly MetadataFindingCode[]
}

const microsoft = 'http://schemas.microsoft.com/'
const guid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const multipleAuthn = `${microsoft}claims/multipleauthn`
const methodsReferences = `${microsoft}claims/authnmethodsreferences`

/**
 * Of a vendor that cannot say how somebody signed in: its class is a setting or a constant, and an attribute that is called `amr` is a
 * field that somebody filled in.
 */
const noEvidence = { methods: [], authnContext: 'ignore' } as const

/** The first that fits is it: those with addresses of their own stand before products that run anywhere. */
export const vendors = {
  okta: {
    name: 'Okta',
    entityId: /^http:\/\/www\.okta\.com\/exk[A-Za-z0-9]+$/,
    signInUrl: /^https:\/\/([a-z0-9-]+\.(okta|oktapreview|okta-emea|okta-gov)\.com\/|[^/]+\/app\/[^/]+\/exk[A-Za-z0-9]+\/sso\/saml)/,
    preset: { stepUpClassRef: null, groupsAttribute: 'groups', mapping: { methods: ['session.amr', 'amr'], authnContext: 'ignore' } },
    stableId: 'an attribute with the expression user.getInternalProperty("id") (00u…)',
    notices: ['logout_needs_certificate', 'stable_id_needs_mapping', 'groups_need_filter', 'no_mfa_evidence'],
  },
  entra: {
    name: 'Microsoft Entra ID',
    entityId: new RegExp(`^https://sts\\.windows\\.net/${guid}/$`),
    signInUrl: /^https:\/\/login\.(microsoftonline\.(com|us)|chinacloudapi\.cn|partner\.microsoftonline\.cn)\//,
    preset: {
      stableIdAttribute: `${microsoft}identity/claims/objectidentifier`,
      groupsAttribute: `${microsoft}ws/2008/06/identity/claims/groups`,
      stepUpClassRef: null,
      mapping: { methods: [methodsReferences], authnContext: 'ignore' },
    },
    logoutIssuer: (entityId) => entityId.replace('https://sts.windows.net/', 'https://login.microsoftonline.com/'),
    stableId: `${microsoft}identity/claims/objectidentifier (sent by default)`,
    notices: ['groups_overage', 'logout_redirect_only'],
  },
  google: {
    name: 'Google Workspace',
    entityId: /^https:\/\/accounts\.google\.com\/o\/saml2\?idpid=C[A-Za-z0-9]+$/,
    preset: { stepUpClassRef: null, groupsAttribute: 'groups', mapping: noEvidence },
    stableId: 'a custom directory field that IT fills once per person; Google sends no identifier of its own',
    notices: ['no_metadata_url', 'stable_id_needs_mapping', 'no_mfa_evidence', 'logout_unsupported'],
  },
  pingone: {
    name: 'PingOne',
    entityId: /^https:\/\/auth\.pingone\.(com|eu|asia|ca|com\.au|sg)\//,
    signInUrl: /^https:\/\/auth\.pingone\.(com|eu|asia|ca|com\.au|sg)\//,
    preset: { authnInstant: 'when-forced', groupsAttribute: 'groups', stepUpClassRef: null, mapping: { idpSessionEnd: 'ignore' } },
    stableId: 'the attribute “User ID”, mapped to saml_subject or to one of its own',
    notices: ['session_end_is_assertion_end', 'requested_class_ignored', 'authn_instant_is_issue_time', 'stable_id_needs_mapping'],
  },
  onelogin: {
    name: 'OneLogin',
    entityId: /^https:\/\/app\.onelogin\.com\/saml\/metadata\//,
    signInUrl: /^https:\/\/[a-z0-9-]+\.onelogin\.com\/trust\/saml2\//,
    preset: { authnInstant: 'when-forced', groupsAttribute: 'memberOf', stepUpClassRef: null, mapping: noEvidence },
    stableId: 'the parameter “OneLogin ID”, mapped to an attribute',
    notices: ['sha1_by_default', 'recipient_typed_by_hand', 'authn_instant_is_issue_time', 'stable_id_needs_mapping', 'no_mfa_evidence'],
  },
  jumpcloud: {
    name: 'JumpCloud',
    signInUrl: /^https:\/\/sso\.jumpcloud\.com\/saml2\//,
    preset: { stepUpClassRef: null, mapping: noEvidence },
    stableId: 'a constant attribute mapped to the user’s JumpCloud id',
    notices: ['entity_id_typed_by_hand', 'stable_id_needs_mapping', 'no_mfa_evidence', 'logout_unsupported'],
  },
  duo: {
    name: 'Duo Single Sign-On',
    signInUrl: /^https:\/\/[a-z0-9-]+\.sso\.duosecurity\.com\/saml2\//,
    preset: { stepUpClassRef: null, mapping: { methods: ['AMR', 'amr'] } },
    stableId: 'a bridge attribute that holds an unchanging directory value (objectGUID)',
    notices: ['stable_id_needs_mapping', 'no_mfa_evidence'],
  },
  auth0: {
    name: 'Auth0',
    entityId: /^urn:[a-z0-9.-]+\.auth0\.com$/,
    signInUrl: /^https:\/\/[^/]+\/samlp\/[A-Za-z0-9]+([/?]|$)/,
    preset: {
      stepUpClassRef: null,
      mapping: { ...noEvidence, claims: { email_provider: { from: ['http://schemas.auth0.com/identities/default/provider'] } } },
    },
    logoutBinding: 'post',
    stableId: 'the NameID: it is user_id as it comes',
    notices: ['sha1_by_default', 'no_mfa_evidence'],
  },
  adfs: {
    name: 'AD FS',
    entityId: /^https?:\/\/[^/]+\/adfs\/services\/trust$/i,
    signInUrl: /^https:\/\/[^/]+\/adfs\/ls\/?/i,
    preset: {
      groupsAttribute: 'http://schemas.xmlsoap.org/claims/Group',
      stepUpClassRef: multipleAuthn,
      mapping: { methods: [methodsReferences] },
    },
    stableId: 'a rule that sends objectGUID or employeeID',
    notices: ['logout_needs_certificate', 'claim_rules_needed', 'encrypts_when_offered', 'stable_id_needs_mapping'],
  },
  keycloak: {
    name: 'Keycloak',
    entityId: /^https?:\/\/[^/]+(\/[^/]+)*\/realms\/[^/]+$/,
    signInUrl: /^https?:\/\/[^/]+(\/[^/]+)*\/realms\/[^/]+\/protocol\/saml/,
    preset: {
      authnInstant: 'when-forced',
      stepUpClassRef: null,
      mapping: { claims: { roles: { from: ['Role', 'roles'], type: 'list' } } },
    },
    stableId: 'the NameID with format “persistent”, or a mapper for the user’s id',
    notices: ['keys_of_whole_realm', 'authn_instant_is_issue_time', 'no_mfa_evidence'],
  },
  pingfederate: {
    name: 'PingFederate',
    signInUrl: /^https:\/\/[^/]+(\/[^/]+)*\/idp\/SSO\.saml2(\?|$)/,
    preset: { groupsAttribute: 'groups' },
    stableId: 'an attribute of the contract that holds an unchanging directory value',
    notices: ['stable_id_needs_mapping', 'requested_class_ignored'],
  },
  shibboleth: {
    name: 'Shibboleth IdP',
    signInUrl: /^https:\/\/[^/]+(\/[^/]+)*\/profile\/SAML2\/(Redirect|POST|POST-SimpleSign)\/SSO$/,
    preset: { groupsAttribute: 'urn:oid:1.3.6.1.4.1.5923.1.5.1.1' },
    stableId: 'a persistent NameID, or eduPersonUniqueId / subject-id as an attribute',
    notices: ['encrypts_when_offered', 'stable_id_needs_mapping'],
  },
  simplesamlphp: {
    name: 'SimpleSAMLphp',
    signInUrl: /^https:\/\/[^/]+(\/[^/]+)*\/(saml2\/idp\/SSOService\.php|module\.php\/saml\/idp\/singleSignOnService)(\?|$)/,
    preset: { groupsAttribute: 'groups', stepUpClassRef: null },
    stableId: 'an attribute of the authentication source that never changes (uid, entryUUID)',
    notices: ['stable_id_needs_mapping', 'no_mfa_evidence'],
  },
} as const satisfies Record<string, Vendor>

const rows = Object.entries(vendors) as unknown as readonly (readonly [VendorId, Vendor])[]

/** By the entity ID first: a sign-in address may be a domain of the company's own. */
export function recogniseVendor(entityId: string, signInUrls: readonly string[]): VendorId | undefined {
  const byEntity = rows.find(([, vendor]) => vendor.entityId?.test(entityId))
  const byUrl = rows.find(([, vendor]) => signInUrls.some((url) => vendor.signInUrl?.test(url)))
  return (byEntity ?? byUrl)?.[0]
}

export const vendorOf = (id: VendorId): Vendor => vendors[id]

/** What is proposed for a new connection: the vendor's row, and a signature where the metadata asks for one. */
export const presetFor = (vendor: VendorId | undefined, wantsSignedRequests: boolean): VendorPreset => ({
  ...(vendor !== undefined && vendorOf(vendor).preset),
  ...(wantsSignedRequests && { signRequests: true }),
})

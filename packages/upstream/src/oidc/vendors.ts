/**
 * Which product an OpenID issuer belongs to, and what is best for a connection to it: one row per vendor, as `saml/metadata-vendors` has
 * them for SAML.
 *
 * A preset is a proposal. The admin sees it, whatever she writes wins, and it is used when a connection is made, never afterwards. Whoever
 * imitates a vendor gains nothing by it but that vendor's defaults.
 */
import type { z } from 'zod'
import type { oidcMembers } from './configuration.js'
import type { OidcFindingCode } from './findings.js'

type Members = Partial<z.input<z.ZodObject<typeof oidcMembers>>>
export type OidcVendorPreset = Members & { readonly stableIdAttribute?: string; readonly groupsAttribute?: string }
export type OidcVendor = {
  readonly name: string
  readonly issuer: RegExp
  readonly preset: OidcVendorPreset
  /** Which claim never changes, in words. */
  readonly stableId: string
  readonly notices: readonly OidcFindingCode[]
  /** The section of the guide. */
  readonly guide: string
}

const guid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const bySub = 'sub, as it comes'
const papeMultiFactor = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

/** The first that fits is it: those with addresses of their own stand before products that run anywhere. */
export const oidcVendors = {
  okta: {
    name: 'Okta',
    issuer: /^https:\/\/[a-z0-9-]+\.(okta|oktapreview|okta-emea|okta-gov)\.com(\/oauth2\/[A-Za-z0-9]+)?$/,
    preset: {
      stepUpAcr: 'urn:okta:loa:2fa:any',
      clientAssertionAudience: 'token_endpoint',
      scopes: ['openid', 'profile', 'email', 'groups'],
      groupsAttribute: 'groups',
      frontchannelLogout: true,
    },
    stableId: `${bySub} (00u…)`,
    notices: ['groups_limit', 'groups_need_claim', 'logout_frontchannel'],
    guide: 'okta',
  },
  entra: {
    name: 'Microsoft Entra ID',
    issuer: new RegExp(`^https://login\\.(microsoftonline\\.(com|us)|partner\\.microsoftonline\\.cn)/(${guid}|\\{tenantid\\})/v2\\.0$`),
    preset: {
      clientAuthentication: 'client_secret_post',
      clientAssertionAudience: 'token_endpoint',
      stepUpAsk: 'claims_acrs',
      stepUpAcr: 'c1',
      maxAgeOnForce: null,
      groupsAttribute: 'groups',
      frontchannelLogout: true,
    },
    stableId: 'sub (one per application), or oid together with tid: {"mapping":{"stableId":{"attributes":["tid","oid"]}}}',
    notices: [
      'groups_overage',
      'groups_need_claim',
      'step_up_by_context',
      'subject_pairwise',
      'email_unproven',
      'no_auth_time',
      'logout_frontchannel',
      'logout_claims',
    ],
    guide: 'microsoft-entra-id',
  },
  google: {
    name: 'Google Workspace',
    issuer: /^https:\/\/accounts\.google\.com$/,
    preset: {
      promptOnForce: 'select_account',
      maxAgeOnForce: null,
      authTimeClaim: true,
      stepUpAcr: null,
      clientAuthentication: 'client_secret_post',
    },
    stableId: bySub,
    notices: ['issuer_shared', 'auth_time_on_request', 'no_step_up', 'groups_unavailable', 'logout_none'],
    guide: 'google-workspace',
  },
  pingone: {
    name: 'PingOne',
    issuer: new RegExp(`^https://auth\\.pingone\\.(com|eu|asia|ca|com\\.au|sg)/${guid}/as$`),
    preset: { stepUpAcr: 'Multi_Factor' },
    stableId: bySub,
    notices: ['step_up_ignored', 'groups_need_claim'],
    guide: 'pingone',
  },
  onelogin: {
    name: 'OneLogin',
    issuer: /^https:\/\/[a-z0-9-]+\.onelogin\.com\/oidc\/2$/,
    preset: { stepUpAcr: null, scopes: ['openid', 'profile', 'email', 'groups'], groupsAttribute: 'groups' },
    stableId: bySub,
    notices: ['no_auth_time', 'no_step_up', 'logout_limited', 'logout_siblings'],
    guide: 'onelogin',
  },
  jumpcloud: {
    name: 'JumpCloud',
    issuer: /^https:\/\/oauth\.id\.jumpcloud\.com\/$/,
    preset: { stepUpAcr: null },
    stableId: bySub,
    notices: ['issuer_shared', 'no_step_up', 'groups_need_claim'],
    guide: 'jumpcloud',
  },
  duo: {
    name: 'Duo Single Sign-On',
    issuer: /^https:\/\/sso-[a-z0-9]+\.sso\.duosecurity\.com\/oidc\/[A-Za-z0-9]+$/,
    preset: { stepUpAcr: null, maxAgeOnForce: null },
    stableId: bySub,
    notices: ['no_step_up', 'no_auth_time', 'groups_need_claim'],
    guide: 'duo',
  },
  auth0: {
    name: 'Auth0',
    issuer: /^https:\/\/[a-z0-9-]+(\.[a-z]{2})?\.auth0\.com\/$/,
    preset: { clientAuthentication: 'client_secret_post', stepUpAcr: papeMultiFactor },
    stableId: bySub,
    notices: ['groups_need_claim'],
    guide: 'auth0',
  },
  adfs: {
    name: 'AD FS',
    issuer: /^https:\/\/[^/]+\/adfs$/i,
    preset: {
      clientAuthentication: 'client_secret_post',
      stepUpAcr: 'http://schemas.microsoft.com/claims/multipleauthn',
      scopes: ['openid', 'profile', 'email', 'allatclaims'],
      userinfo: false,
      frontchannelLogout: true,
    },
    stableId: 'sub (one per application), or a rule that sends objectGUID',
    notices: ['subject_pairwise', 'names_in_upn', 'groups_need_claim', 'logout_frontchannel'],
    guide: 'ad-fs',
  },
  pingam: {
    name: 'PingAM, PingOne Advanced Identity Cloud',
    issuer: /^https:\/\/[^/]+\/(am|openam|sso)\/oauth2(\/realms\/.+|\/[^/]+)?$/,
    preset: { stepUpAsk: 'claims_acr', stepUpAcr: 'mfa' },
    stableId: bySub,
    notices: ['groups_need_claim'],
    guide: 'pingfederate-and-pingam',
  },
  keycloak: {
    name: 'Keycloak',
    issuer: /^https?:\/\/[^/]+(\/[^/]+)*\/realms\/[^/]+$/,
    preset: { stepUpAsk: 'claims_acr', stepUpAcr: 'gold' },
    stableId: bySub,
    notices: ['step_up_ignored', 'groups_need_claim', 'logout_tokens_untyped'],
    guide: 'keycloak',
  },
} as const satisfies Record<string, OidcVendor>

export type OidcVendorId = keyof typeof oidcVendors

/** PingFederate and Shibboleth stand at addresses of the company's own choice: nothing tells them, and nothing has to. */
export const recogniseOidcVendor = (issuer: string): OidcVendorId | undefined =>
  (Object.entries(oidcVendors) as unknown as readonly (readonly [OidcVendorId, OidcVendor])[]).find(([, { issuer: pattern }]) =>
    pattern.test(issuer),
  )?.[0]

export const oidcVendorOf = (id: OidcVendorId): OidcVendor => oidcVendors[id]

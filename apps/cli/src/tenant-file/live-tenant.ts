/** A tenant as the broker shows it, read whole before anything is compared with it. */
import type { ProvisioningMode } from '@drawbridge/core/identity/provisioning'
import type { ClientRegistration } from '@drawbridge/core/oauth/client-registration'
import type { DefaultScopes } from '@drawbridge/core/oauth/default-scopes'
import type { DpopRules } from '@drawbridge/core/oauth/dpop-rules'
import type { tokenExchangeShape } from '@drawbridge/core/oauth/exchange-permission'
import type { idJagIssuingShape } from '@drawbridge/core/oauth/id-jag-issuing'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import type { ToldOfPeople } from '@drawbridge/core/oauth/userinfo'
import type { ConnectionChoiceJson } from '@drawbridge/core/tenant/connection-choice'
import type { softwareStatementsShape } from '@drawbridge/upstream/software-statement/statement-issuers'
import type { z } from 'zod'

export type LiveConnection = {
  readonly id: string
  readonly kind: 'saml' | 'oidc'
  readonly name: string
  readonly configuration: Readonly<Record<string, unknown>>
  readonly hasSecret: boolean
  readonly disabledAt: string | null
  readonly sha1Until: string | null
  readonly revision: string
  /** Where its metadata is fetched; undefined: nowhere. */
  readonly metadata: { readonly url: string; readonly pinnedCertificates: readonly string[] } | undefined
}
export type LiveTrust = {
  readonly id: string
  readonly name: string
  readonly configuration: Readonly<Record<string, unknown>>
  readonly disabledAt: string | null
  readonly revision: string
}
export type LiveDomain = {
  readonly domain: string
  readonly connectionId: string | null
  readonly verifiedAt: string | null
  readonly proof: 'dns' | 'vouched' | null
  readonly lapsedAt: string | null
}
export type LiveScope = { readonly name: string; readonly description: string; readonly tier: string; readonly isDefault: boolean }
export type LiveResource = {
  readonly id: string
  readonly identifier: string
  readonly name: string
  readonly shared: boolean
  readonly mintable: boolean
  readonly accessTokenTtlSeconds: number | null
  /** A broker of an earlier version says nothing of it. */
  readonly toldOfPeople?: { readonly profile: boolean; readonly email: boolean }
  readonly scopes: readonly LiveScope[]
}
export type LiveClient = {
  readonly clientId: string
  readonly kind: string
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly tokenEndpointAuthMethod: string
  readonly applicationType: string
  readonly preApproved: boolean
  readonly scopeCeiling: readonly string[]
  readonly accessTokenTtlSeconds: number | null
  readonly blockedAt: string | null
  /** A broker of an earlier version says nothing of it. */
  readonly postLogoutRedirectUris?: readonly string[]
  readonly requirePushedAuthorizationRequests?: boolean
  readonly backchannelLogoutUri?: string | null
  readonly backchannelLogoutSessionRequired?: boolean
  readonly dpopBoundAccessTokens?: boolean
  readonly jwks: unknown
  readonly jwksUri?: string | null
  readonly subjectType?: string
  readonly sectorIdentifierUri?: string | null
  readonly certificateName?: { readonly kind: string; readonly value: string } | null
}
/** As it is on the wire. */
export type LiveExchange = z.input<typeof tokenExchangeShape>['permissions'][number]
export type LiveIdJagPermission = z.input<typeof idJagIssuingShape>['permissions'][number]
export type Permissions<Permission> = { readonly permissions: readonly Permission[] }
/** `revision`: of what was read, so that nothing comes back that somebody takes away meanwhile; a tenant that is not there yet has none. */
export type LivePermissions<Permission> = Permissions<Permission> & { readonly revision?: string | undefined }
export type LiveContact = { readonly id: string; readonly name: string; readonly email: string }
export type LiveWebhook = {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly string[]
  readonly pausedAt: string | null
  readonly disabledAt: string | null
}
export type LiveTenant = {
  readonly slug: string
  readonly name: string
  readonly suspendedAt: string | null
  readonly contacts: readonly LiveContact[]
  readonly webhooks: readonly LiveWebhook[]
  /** Undefined: nobody has chosen. */
  readonly provisioning: ProvisioningMode | undefined
  /** Undefined: none is published. */
  readonly policy: string | undefined
  /** Undefined: it has none. */
  readonly policyCases: string | undefined
  readonly connections: readonly LiveConnection[]
  readonly assertionTrusts: readonly LiveTrust[]
  readonly domains: readonly LiveDomain[]
  readonly logout: { readonly grantsOutliveLogout: boolean }
  readonly tokens: { readonly algorithm: TokenAlgorithm }
  readonly clientRegistration: ClientRegistration
  readonly deviceGrant: { readonly enabled: boolean }
  readonly softwareStatements: z.output<typeof softwareStatementsShape>
  readonly dpop: DpopRules
  readonly pushedRequests: { readonly required: boolean }
  readonly userinfo: ToldOfPeople
  readonly defaultScopes: DefaultScopes
  readonly subjectTypes: { readonly pairwiseByDefault: boolean }
  readonly loginTracing: { readonly recordClaims: boolean }
  readonly loginRecording: { readonly recordLogins: boolean }
  readonly choice: ConnectionChoiceJson
  /** Its own, and the vendor's that are shared with it. */
  readonly resources: readonly LiveResource[]
  readonly clients: readonly LiveClient[]
  readonly tokenExchange: LivePermissions<LiveExchange>
  readonly idJagIssuing: LivePermissions<LiveIdJagPermission>
}

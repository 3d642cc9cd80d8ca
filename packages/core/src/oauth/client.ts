/** A client at one issuer, however it became known: by its own document, by dynamic registration, or by an admin. */
import type { Brand } from '../brand.js'
import type { Instant } from '../instant.js'
import type { ClientId, IssuerId, Scope, TenantId } from '../tenant/ids.js'
import type { CertificateName } from './client-certificate.js'
import type { ClientSecret } from './client-secret.js'
import type { MachineAccess } from './machine-access.js'

export const clientKinds = ['metadata_document', 'dynamic', 'preregistered'] as const
export type ClientKind = (typeof clientKinds)[number]

export const clientAuthMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'] as const
export type ClientAuthMethod = (typeof clientAuthMethods)[number]

/** By which a client may sign its assertions. RFC 7518 §3.1; none of them lets whoever verifies sign, too. */
export const clientAssertionAlgorithms = ['ES256', 'RS256', 'EdDSA'] as const
export type ClientAssertionAlgorithm = (typeof clientAssertionAlgorithms)[number]

export type Client = {
  readonly tenantId: TenantId
  readonly issuerId: IssuerId
  readonly id: ClientId
  readonly kind: ClientKind
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly authMethod: ClientAuthMethod
  /** Two at most, the older one first; those that have lapsed, too. */
  readonly secrets: readonly ClientSecret[]
  /** A JWK Set as the client published it; parsed where it is used. */
  readonly jwks: unknown
  /** Where it publishes them instead. Never both. */
  readonly jwksUri?: string | undefined
  /** With `tls_client_auth`: what its certificate must hold. */
  readonly certificateName?: CertificateName | undefined
  readonly applicationType: 'native' | 'web'
  /** An admin of the tenant vouches for it, so neither gate is needed, and it may be granted something where an approval is demanded. */
  readonly preApproved: boolean
  /** Empty means: all that policy allows. */
  readonly scopeCeiling: readonly Scope[]
  readonly accessTokenTtlSeconds: number | undefined
  /** Of a client of the front issuer, as one tenant has it: what it may have there in its own name. Absent: of another issuer, where its ceiling says it. */
  readonly machineAccess?: MachineAccess | undefined
  /** Of a client of the front issuer, as one tenant has it: the vendor vouches for it as it is here. Its tenant does or not by `preApproved`. */
  readonly approvedAtFront?: boolean | undefined
  readonly epoch: number
  readonly blockedAt: Instant | undefined
  /** Of a client of the front issuer, as one tenant has it: since when that tenant shuts it out itself. `blockedAt` is the earlier of this and the vendor's. */
  readonly ownBlockedAt?: Instant | undefined
  /** … and since when the vendor does. */
  readonly blockedAtFront?: Instant | undefined
  /** Metadata documents only: from then on the stored copy is fetched again. */
  readonly documentExpiresAt: Instant | undefined
  /** Metadata documents only: since when its publisher says, whenever he is asked, that it is gone or none. */
  readonly documentWithdrawnAt?: Instant | undefined
  /** Where it hears of logouts. Absent: it does not. */
  readonly backchannelLogoutUri?: string | undefined
  /** Its logout tokens must name the session. */
  readonly backchannelLogoutSessionRequired?: boolean | undefined
  /** Its authorization requests come pushed or not at all. RFC 9126 §6 */
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  /** Where it may have a browser sent after a logout. */
  readonly postLogoutRedirectUris: readonly string[]
  /** It takes no token but one that is bound to its key: `dpop_bound_access_tokens`, RFC 9449 §5.2 */
  readonly dpopBoundAccessTokens?: boolean | undefined
  /** The sector by whose `sub` it knows people; absent: by the one that everybody is told. */
  readonly sectorIdentifier?: string | undefined
  readonly sectorIdentifierUri?: string | undefined
  /** Where it says that its logo is. Nobody is sent there, and nothing is shown of it before an admin has seen it. */
  readonly logoUri?: string | undefined
  /** Of all that an admin judges of a client that speaks for itself, as it is now. */
  readonly documentDigest?: string | undefined
  /** It was approved, and its document said something else afterwards. */
  readonly approvalLost?: ApprovalLost | undefined
  /** Dynamic registration only: when it last got a token, exact to a day. */
  readonly lastUsedAt?: Instant | undefined
  /** Dynamic registration only: by whose software statement it registered, and about which software. RFC 7591 §2.3 */
  readonly stated?: { readonly issuer: string; readonly softwareId: string | undefined } | undefined
  /** Another number after every change of the row, and never one that any client had before. */
  readonly version: number
}

/** What an admin judges of a client that describes itself. */
export const judgedMembers = [
  'name',
  'redirectUris',
  'grantTypes',
  'tokenEndpointAuthMethod',
  'dpopBoundAccessTokens',
  'jwks',
  'backchannelLogoutUri',
  'postLogoutRedirectUris',
] as const
export type JudgedMember = (typeof judgedMembers)[number]

export type JudgedClient = Pick<
  Client,
  | 'name'
  | 'redirectUris'
  | 'grantTypes'
  | 'authMethod'
  | 'dpopBoundAccessTokens'
  | 'jwks'
  | 'jwksUri'
  | 'certificateName'
  | 'backchannelLogoutUri'
  | 'postLogoutRedirectUris'
>

/** How an approval ended: by what the document said otherwise, and what it had said before. */
export type ApprovalLost = { readonly at: Instant; readonly changed: readonly JudgedMember[]; readonly before: JudgedClient }

/** A client that has proven itself at this request. Only client authentication makes one. */
export type ProvenClient = Brand<Client & { readonly secretUsed?: ClientSecret }, 'ProvenClient'>

/**
 * The host that stands behind a client: of the document for a client that describes itself, else of its redirect URI.
 * A registered name can be anything; a host is what a person can check.
 */
export function hostOfClient(client: Pick<Client, 'kind' | 'id' | 'redirectUris'>): string {
  return client.kind === 'metadata_document' ? hostOfUrl(client.id) : hostOfUrl(client.redirectUris[0] ?? '')
}

/**
 * The host by which policy knows a client: without port and closing dot, because the same host with either is no other. `undefined`: its
 * redirect URIs lead to several. Whoever registers may write a trusted host before its own, so none of them speaks for the client.
 */
export function policyHostOf(client: Pick<Client, 'kind' | 'id' | 'redirectUris'>): string | undefined {
  const urls = client.kind === 'metadata_document' ? [client.id] : client.redirectUris
  const [host = 'unknown', ...others] = new Set(urls.map(hostName))
  return others.length === 0 ? host : undefined
}

/** Without port and closing dot. A private-scheme URI is at no host, whatever its text names: any program can claim it. Its scheme stands for it. */
export function hostName(url: string): string {
  if (!URL.canParse(url)) return 'unknown'
  const { hostname, protocol } = new URL(url)
  return isOfWeb(protocol) ? hostname.replace(/\.$/, '') : protocol
}
const isOfWeb = (protocol: string): boolean => protocol === 'https:' || protocol === 'http:'

/**
 * Says whether the browser may be sent to a client's redirect URI before the person has agreed to anything: if an admin vouches for
 * the client, or the URI cannot leave her own machine. RFC 9700 §4.11.2
 */
export const mayBeSentToUnasked = (client: Pick<Client, 'kind' | 'preApproved'>, redirectUri: string): boolean =>
  isVouchedFor(client) || !redirectUri.startsWith('https:')

/** An admin of the tenant registered it, or approved what it says of itself. */
export const isVouchedFor = (client: Pick<Client, 'kind' | 'preApproved'>): boolean => client.preApproved || client.kind === 'preregistered'

/**
 * Whether an admin means this very client. An approval by a software statement is of whoever has the software, and strangers can copy it: so one
 * that a statement speaks for is as good as unknown where what counts is how many of them a stranger can make.
 */
export const isVouchedForItself = (client: Pick<Client, 'kind' | 'preApproved' | 'stated'>): boolean =>
  isVouchedFor(client) && client.stated === undefined

/** A private or symmetric key where only public ones belong: whoever has read it could pose as the client. RFC 7517 §9.2 */
export const holdsSecretKey = (jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] } | undefined): boolean =>
  jwks?.keys.some((key) => Object.hasOwn(key, 'd') || Object.hasOwn(key, 'k')) ?? false

const jwksUriMaxLength = 2048

/** Keys are read only over TLS: whoever could write them on their way could pose as the client. RFC 7591 §2 */
export const isAcceptableJwksUri = (uri: string): boolean =>
  uri.length <= jwksUriMaxLength &&
  /^https:\/\/[\x21-\x7e]+$/.test(uri) &&
  !/[#\\]/.test(uri) &&
  URL.canParse(uri) &&
  !hasUserinfo(new URL(uri))
const hasUserinfo = ({ username, password }: URL): boolean => username !== '' || password !== ''

/** The host for display; a private-scheme URI shows its scheme. Never used for a decision. */
export function hostOfUrl(url: string): string {
  if (!URL.canParse(url)) return 'unknown'
  const { host, protocol } = new URL(url)
  return isOfWeb(protocol) ? host : protocol
}

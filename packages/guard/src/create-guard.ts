/** Puts the guard of one resource server together: the factory that strangers call. */
import { randomUUID } from 'node:crypto'
import { type AuthenticationDemand, checkDemand, isImpossible, meetsDemand, strictest, type ToolAuthentication } from './authentication.js'
import { createBarriers } from './barriers.js'
import { buildChallenge, type Challenge } from './challenge.js'
import { introspect } from './introspect.js'
import { createReceiver, type Receiver } from './receive-notices.js'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { buildResourceMetadata, type ResourceMetadata, resourceMetadataPaths, resourceMetadataUrl } from './resource-metadata.js'
import { missingScopes, type ScopeImplications, type ToolScopes } from './tool-scopes.js'
import { type IssuerOptions, type TrustedIssuer, trustIssuer } from './trusted-issuer.js'
import { type VerifiedToken, verifyAccessToken } from './verify-access-token.js'

export type GuardOptions = {
  /** This resource server's identifier, exactly as registered at the issuers. */
  readonly resource: string
  readonly name?: string
  /** The exact list of issuers whose tokens are believed. */
  readonly issuers: readonly IssuerOptions[]
  /** What each tool needs. A tool that is not named here is refused. */
  readonly toolScopes: ToolScopes
  readonly scopeImplies?: ScopeImplications
  /** How strongly and how lately somebody must have signed in, for everything here. RFC 9470 */
  readonly authentication?: AuthenticationDemand
  /** … and beyond that for single tools. A name that `toolScopes` does not have stops the start. */
  readonly toolAuthentication?: ToolAuthentication
  /** What a client is told to ask for first. */
  readonly baseScopes?: readonly string[]
  /** When nothing was heard from an issuer for `deafAfterSeconds`: refuse its tokens, or ask it about each one. */
  readonly onDeaf: 'refuse' | 'introspect'
  readonly deafAfterSeconds?: number
  readonly maxTokenLifeSeconds?: number
  readonly maxBarriers?: number
  readonly instance?: string
  readonly fetch?: typeof fetch
  readonly now?: () => number
  readonly random?: () => number
  readonly onTrouble?: (issuer: string, trouble: string) => void
}

export type Guard = {
  readonly resource: string
  readonly metadata: ResourceMetadata
  readonly metadataUrl: string
  readonly metadataPaths: readonly string[]
  readonly toolScopes: ToolScopes
  /** For everything here. */
  readonly authentication: AuthenticationDemand
  readonly toolAuthentication: ToolAuthentication
  /** Starts to listen; resolves when every issuer has given its first snapshot. Requests before that are answered 503. */
  start(): Promise<void>
  /**
   * Ends listening for good and tells the issuers, which wait for it no longer. From the call on everything is refused with 503: stop serving first.
   */
  stop(): Promise<void>
  isReady(): boolean
  /** Judges the `Authorization` header, the scopes that this request needs, and how the person signed in. */
  check(
    authorization: string | undefined,
    needed?: readonly string[],
    demand?: AuthenticationDemand,
  ): Promise<Result<VerifiedToken, Challenge>>
  /** Writes any other refusal in the guard's form. */
  refuse(reason: GuardRefusal, needed?: readonly string[]): Challenge
}

/** Longer than a long-poll (25 s) and its retry; within it a silent guard still trusts what it knows. */
export const defaultDeafAfterSeconds = 60
export const leastDeafAfterSeconds = 35
/** Twice the longest access token by the tier table. Barriers are kept this long, and tokens that live longer are refused. */
export const defaultMaxTokenLifeSeconds = 3600
export const defaultMaxBarriers = 100_000

const bearer = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i

/** All that a guard knows and was told, for the functions below. */
type Guarding = ReturnType<typeof readOptions> & {
  readonly options: GuardOptions
  readonly receivers: ReadonlyMap<string, Receiver>
  readonly metadataUrl: string
  readonly baseScopes: readonly string[]
}

export function createGuard(options: GuardOptions): Guard {
  const settings = readOptions(options)
  const { issuers, receiving } = settings
  const receivers = new Map([...issuers.values()].map((issuer) => [issuer.issuer, createReceiver({ ...receiving, issuer })]))
  const baseScopes = options.baseScopes ?? []
  const metadataUrl = resourceMetadataUrl(options.resource)
  const guarding: Guarding = { ...settings, options, receivers, metadataUrl, baseScopes }
  return {
    resource: options.resource,
    metadata: buildResourceMetadata({ ...options, issuers: [...issuers.keys()], baseScopes }),
    metadataUrl,
    metadataPaths: resourceMetadataPaths(options.resource),
    toolScopes: options.toolScopes,
    authentication: options.authentication ?? {},
    toolAuthentication: options.toolAuthentication ?? {},
    start: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.start()))),
    stop: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.stop()))),
    isReady: () => [...receivers.values()].every((receiver) => receiver.heardAtSeconds() !== undefined),
    check: (authorization, needed = [], demand = {}) => check(guarding, authorization, { needed, demand }),
    refuse: (reason, needed = []) => refuse(guarding, reason, needed),
  }
}

function refuse({ metadataUrl, baseScopes }: Guarding, reason: GuardRefusal, needed: readonly string[]): Challenge {
  return buildChallenge(reason, { metadataUrl, scopes: reason === 'scope_insufficient' || needed.length > 0 ? needed : baseScopes })
}

type Asked = { readonly needed: readonly string[]; readonly demand: AuthenticationDemand }

/** The sign-in is judged before the scopes: the client that comes back asks for both at once. @spec RFC 9470 §3 */
async function check(
  guarding: Guarding,
  authorization: string | undefined,
  { needed, demand }: Asked,
): Promise<Result<VerifiedToken, Challenge>> {
  const believed = await believe(guarding, authorization)
  if (!believed.ok) return err(refuse(guarding, believed.error, needed))
  const { options, metadataUrl, baseScopes, nowSeconds } = guarding
  const authentication = strictest([options.authentication ?? {}, demand])
  // A challenge would send her round for ever: whatever she comes back with, it is not enough.
  if (isImpossible(authentication)) return err(refuse(guarding, 'authentication_impossible', needed))
  if (!meetsDemand(believed.value, authentication, nowSeconds())) {
    const scopes = needed.length > 0 ? needed : baseScopes
    return err(buildChallenge('authentication_insufficient', { metadataUrl, scopes, authentication }))
  }
  const isEnough = missingScopes(believed.value.scopes, needed, options.scopeImplies).length === 0
  return isEnough ? ok(believed.value) : err(refuse(guarding, 'scope_insufficient', needed))
}

/** Says whether the token in this header is good here and now, whatever it is needed for. */
async function believe(guarding: Guarding, authorization: string | undefined): Promise<Result<VerifiedToken, GuardRefusal>> {
  const { issuers, barriers, maxTokenLifeSeconds, options, receivers, nowSeconds } = guarding
  if (authorization === undefined) return err('token_missing')
  const token = bearer.exec(authorization)?.[1]
  if (token === undefined) return err('token_malformed')
  if (![...receivers.values()].some((receiver) => receiver.heardAtSeconds() !== undefined)) return err('not_ready')
  const verified = await verifyAccessToken({ issuers, resource: options.resource, barriers, maxTokenLifeSeconds }, token, nowSeconds())
  return verified.ok ? checkHearing(guarding, token, verified.value) : verified
}

/** Fails closed: what is not known to be fresh is refused, or asked about where the owner chose so. */
async function checkHearing(guarding: Guarding, token: string, verified: VerifiedToken): Promise<Result<VerifiedToken, GuardRefusal>> {
  const { receivers, issuers, nowSeconds, deafAfterSeconds, fetchLike, options } = guarding
  const heardAt = receivers.get(verified.issuer)?.heardAtSeconds()
  if (heardAt === undefined) return err('not_ready')
  if (nowSeconds() - heardAt <= deafAfterSeconds) return ok(verified)
  if (options.onDeaf === 'refuse') return err('deaf')
  const live = await introspect(fetchLike, issuers.get(verified.issuer) as TrustedIssuer, token)
  return live.ok ? ok({ ...verified, scopes: verified.scopes.filter((name) => live.value.scopes.includes(name)) }) : live
}

/** Reads the options once; a combination that could not be safe stops the start. */
function readOptions(options: GuardOptions) {
  if (options.issuers.length === 0) throw new Error('guard: name at least one issuer')
  checkDemands(options)
  const deafAfterSeconds = options.deafAfterSeconds ?? defaultDeafAfterSeconds
  if (deafAfterSeconds < leastDeafAfterSeconds) throw new Error(`guard: deafAfterSeconds must be at least ${leastDeafAfterSeconds}`)
  const maxTokenLifeSeconds = options.maxTokenLifeSeconds ?? defaultMaxTokenLifeSeconds
  const fetchLike = options.fetch ?? globalThis.fetch
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, trustIssuer(issuer, fetchLike)]))
  if (issuers.size !== options.issuers.length) throw new Error('guard: an issuer is named twice')
  const nowMs = options.now ?? Date.now
  const nowSeconds = () => Math.floor(nowMs() / 1000)
  const barriers = createBarriers({ maxEntries: options.maxBarriers ?? defaultMaxBarriers, keepSeconds: maxTokenLifeSeconds + 300 })
  const receiving = {
    resource: options.resource,
    instance: options.instance ?? randomUUID(),
    barriers,
    fetch: fetchLike,
    nowSeconds,
    random: options.random ?? Math.random,
    onTrouble: options.onTrouble ?? (() => {}),
  }
  return { issuers, nowSeconds, barriers, maxTokenLifeSeconds, deafAfterSeconds, fetchLike, receiving }
}

/** Each demand can be met, and together with what everything here demands, too. */
function checkDemands({ authentication = {}, toolAuthentication = {}, toolScopes }: GuardOptions): void {
  checkDemand(authentication, 'the resource')
  for (const [tool, demand] of Object.entries(toolAuthentication)) {
    if (!Object.hasOwn(toolScopes, tool)) throw new Error(`guard: toolAuthentication names ${tool}, which toolScopes does not have`)
    checkDemand(demand, tool)
    checkDemand(strictest([authentication, demand]), `${tool} together with the resource`)
  }
}

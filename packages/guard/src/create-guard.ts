/** Puts the guard of one resource server together: the factory that strangers call. */
import { randomUUID } from 'node:crypto'
import { createBarriers } from './barriers.js'
import { buildChallenge, type Challenge } from './challenge.js'
import { introspect } from './introspect.js'
import { createReceiver } from './receive-notices.js'
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
  /** Starts to listen; resolves when every issuer has given its first snapshot. Requests before that are answered 503. */
  start(): Promise<void>
  stop(): Promise<void>
  isReady(): boolean
  /** Judges the `Authorization` header and the scopes that this request needs. */
  check(authorization: string | undefined, needed?: readonly string[]): Promise<Result<VerifiedToken, Challenge>>
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

export function createGuard(options: GuardOptions): Guard {
  const settings = readOptions(options)
  const { issuers, nowSeconds, barriers, maxTokenLifeSeconds, deafAfterSeconds, fetchLike } = settings
  const receivers = new Map([...issuers.values()].map((issuer) => [issuer.issuer, createReceiver({ ...settings.receiving, issuer })]))
  const metadataUrl = resourceMetadataUrl(options.resource)
  const baseScopes = options.baseScopes ?? []

  const refuse = (reason: GuardRefusal, needed: readonly string[] = []) =>
    buildChallenge(reason, { metadataUrl, scopes: reason === 'scope_insufficient' || needed.length > 0 ? needed : baseScopes })

  /** Fails closed: what is not known to be fresh is refused, or asked about where the owner chose so. */
  const checkHearing = async (token: string, verified: VerifiedToken): Promise<Result<VerifiedToken, GuardRefusal>> => {
    const heardAt = receivers.get(verified.issuer)?.heardAtSeconds()
    if (heardAt === undefined) return err('not_ready')
    if (nowSeconds() - heardAt <= deafAfterSeconds) return ok(verified)
    if (options.onDeaf === 'refuse') return err('deaf')
    const live = await introspect(fetchLike, issuers.get(verified.issuer) as TrustedIssuer, token)
    return live.ok ? ok({ ...verified, scopes: verified.scopes.filter((name) => live.value.scopes.includes(name)) }) : live
  }

  const check: Guard['check'] = async (authorization, needed = []) => {
    if (authorization === undefined) return err(refuse('token_missing', needed))
    const token = bearer.exec(authorization)?.[1]
    if (token === undefined) return err(refuse('token_malformed', needed))
    if (![...receivers.values()].some((receiver) => receiver.heardAtSeconds() !== undefined)) return err(refuse('not_ready'))
    const verified = await verifyAccessToken({ issuers, resource: options.resource, barriers, maxTokenLifeSeconds }, token, nowSeconds())
    const heard = verified.ok ? await checkHearing(token, verified.value) : verified
    if (!heard.ok) return err(refuse(heard.error, needed))
    const isEnough = missingScopes(heard.value.scopes, needed, options.scopeImplies).length === 0
    return isEnough ? ok(heard.value) : err(refuse('scope_insufficient', needed))
  }

  return {
    resource: options.resource,
    metadata: buildResourceMetadata({ ...options, issuers: [...issuers.keys()], baseScopes }),
    metadataUrl,
    metadataPaths: resourceMetadataPaths(options.resource),
    toolScopes: options.toolScopes,
    start: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.start()))),
    stop: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.stop()))),
    isReady: () => [...receivers.values()].every((receiver) => receiver.heardAtSeconds() !== undefined),
    check,
    refuse,
  }
}

/** Reads the options once; a combination that could not be safe stops the start. */
function readOptions(options: GuardOptions) {
  if (options.issuers.length === 0) throw new Error('guard: name at least one issuer')
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
    issuers,
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

/** Puts the guard of one resource server together: the factory that strangers call. */
import { randomUUID } from 'node:crypto'
import { type AuthenticationDemand, checkDemand, isImpossible, meetsDemand, strictest, type ToolAuthentication } from './authentication.js'
import { createBarriers } from './barriers.js'
import { buildChallenge, type Challenge } from './challenge.js'
import { type ReadProof, readProof, targetOf, verifyProof } from './dpop-proof.js'
import { createAccessWatch, type WatchAccess } from './ended-access.js'
import { introspect, type Person } from './introspect.js'
import { createProofMemory, defaultMaxProofs } from './proof-memory.js'
import { createReceiver, type Receiver } from './receive-notices.js'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { buildResourceMetadata, type ResourceMetadata, resourceMetadataPaths, resourceMetadataUrl } from './resource-metadata.js'
import { missingScopes, type ScopeImplications, type ToolScopes } from './tool-scopes.js'
import { forgetKeys, type IssuerOptions, type TrustedIssuer, trustIssuer } from './trusted-issuer.js'
import { textOf, type VerifiedToken, verifyAccessToken, whyEnded, withScopes } from './verify-access-token.js'
import { watchClock } from './watched-clock.js'

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
  /** When nothing was heard from an issuer for `deafAfterSeconds`, 35 to 85: refuse its tokens, or ask it about each one. */
  readonly onDeaf: 'refuse' | 'introspect'
  readonly deafAfterSeconds?: number
  readonly maxTokenLifeSeconds?: number
  readonly maxBarriers?: number
  /** How tokens that are bound to a key are asked for. Without it they are believed with their proof, and bearer tokens without. RFC 9449 */
  readonly dpop?: DpopOptions
  readonly instance?: string
  readonly fetch?: typeof fetch
  readonly now?: () => number
  readonly random?: () => number
  readonly onTrouble?: (issuer: string, trouble: string) => void
}

export type DpopOptions = {
  /** Nothing but a bound token is believed. */
  readonly required?: boolean
  /**
   * Where the world reaches this server, if not at the origin of `resource`: scheme and host, and the path that a proxy takes away before it
   * hands a request on. Proofs name this address; a Host header is never asked.
   */
  readonly publicUrl?: string
  /** Proofs remembered at once; when they are as many, bound tokens are answered 503. */
  readonly maxProofs?: number
}

/** A request as a server received it: what a proof is compared with. */
export type PresentedRequest = {
  readonly authorization: string | undefined
  /** The `DPoP` header; several of them joined by a comma, as Node does. */
  readonly dpop: string | undefined
  readonly method: string
  /** As it stood in the request line: path and query. */
  readonly path: string
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
  /**
   * Judges a request, the scopes that it needs, and how the person signed in. The `Authorization` header alone will do for bearer tokens; one
   * that is bound to a key needs the whole request.
   */
  check(
    presented: string | undefined | PresentedRequest,
    needed?: readonly string[],
    demand?: AuthenticationDemand,
  ): Promise<Result<VerifiedToken, Challenge>>
  /**
   * Asks the issuer who is behind a token that `check` has just let through. Nothing is remembered: whoever keeps the answer keeps personal data.
   * Refused as a dead token is, where it is dead by now.
   */
  personOf(token: string, checked: VerifiedToken): Promise<Result<Person, GuardRefusal>>
  /**
   * For a request that runs on, a stream above all: calls `onEnded` once, within a second or two of the news, when what `check` let through would be let through
   * no longer: its access ended, it expired, its key was condemned, or the guard is deaf or stopped. It is yours to end the request then. The answer is to be
   * called when the request is over: `response.once('close', guard.onEnded(checked, () => response.destroy()))`.
   */
  readonly onEnded: WatchAccess
  /** Writes any other refusal in the guard's form. */
  refuse(reason: GuardRefusal, needed?: readonly string[]): Challenge
}

/** Longer than a long-poll (25 s) and its retry; within it a silent guard still trusts what it knows. */
export const defaultDeafAfterSeconds = 60
export const leastDeafAfterSeconds = 35
/**
 * The issuer waits 155 s for a silent guard and then counts it as deaf, and whoever has ended as dead here. So long after the beginning of its last poll it
 * must be: the poll takes 35 s at most, and the clock may be set back by 30 s without a word (`mostStepBackSeconds`).
 */
export const mostDeafAfterSeconds = 85
/** Twice the longest access token by the tier table. Barriers are kept this long, and tokens that live longer are refused. */
export const defaultMaxTokenLifeSeconds = 3600
/** A snapshot tells 100,000 at most. A quarter more is for what comes after it: a guard that is full folds the oldest of a tenant, and refuses too much. */
export const defaultMaxBarriers = 125_000

const credentials = /^(Bearer|DPoP) +([A-Za-z0-9\-._~+/]+=*) *$/i

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
  settings.clock.onWentBack(() => {
    // The keys first: what the new stream tells is verified with them.
    for (const issuer of issuers.values()) forgetKeys(issuer)
    for (const receiver of receivers.values()) receiver.startAnew()
  })
  const baseScopes = options.baseScopes ?? []
  const metadataUrl = resourceMetadataUrl(options.resource)
  const guarding: Guarding = { ...settings, options, receivers, metadataUrl, baseScopes }
  return {
    resource: options.resource,
    metadata: buildResourceMetadata({
      ...options,
      issuers: [...issuers.keys()],
      baseScopes,
      takesBoundTokensAlone: settings.takesBoundTokensAlone,
    }),
    metadataUrl,
    metadataPaths: resourceMetadataPaths(options.resource),
    toolScopes: options.toolScopes,
    authentication: options.authentication ?? {},
    toolAuthentication: options.toolAuthentication ?? {},
    start: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.start()))),
    stop: async () => void (await Promise.all([...receivers.values()].map((receiver) => receiver.stop()))),
    isReady: () => [...receivers.values()].every((receiver) => receiver.heardAtSeconds() !== undefined),
    check: (presented, needed = [], demand = {}) => check(guarding, present(presented), { needed, demand }),
    personOf: (token, checked) => personOf(guarding, token, checked),
    onEnded: createAccessWatch({ look: (checked) => lookAgain(guarding, checked), ask: (checked) => askAgain(guarding, checked) }),
    refuse: (reason, needed = []) => refuse(guarding, reason, { needed, scheme: settings.takesBoundTokensAlone ? 'DPoP' : 'Bearer' }),
  }
}

/** What was presented, of which kind it claims to be, and what a proof of it would have to say. */
type Presented = Omit<PresentedRequest, 'path'> & {
  readonly path: string | undefined
  readonly scheme: 'Bearer' | 'DPoP'
  /** `undefined`: none, or none that can be read. */
  readonly token: string | undefined
}

function present(presented: string | undefined | PresentedRequest): Presented {
  const request = typeof presented === 'object' ? presented : { authorization: presented, dpop: undefined, method: '', path: undefined }
  const [, scheme, token] = credentials.exec(request.authorization ?? '') ?? []
  return { ...request, scheme: scheme?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}

type Told = { readonly needed: readonly string[]; readonly scheme: 'Bearer' | 'DPoP' }

function refuse({ metadataUrl, baseScopes }: Guarding, reason: GuardRefusal, { needed, scheme }: Told): Challenge {
  return buildChallenge(reason, {
    metadataUrl,
    scheme,
    scopes: reason === 'scope_insufficient' || needed.length > 0 ? needed : baseScopes,
  })
}

type Asked = { readonly needed: readonly string[]; readonly demand: AuthenticationDemand }

/** The sign-in is judged before the scopes: the client that comes back asks for both at once. @spec RFC 9470 §3 */
async function check(guarding: Guarding, presented: Presented, { needed, demand }: Asked): Promise<Result<VerifiedToken, Challenge>> {
  const { options, metadataUrl, baseScopes, nowSeconds, takesBoundTokensAlone } = guarding
  const believed = await believe(guarding, presented)
  const isOfKey = takesBoundTokensAlone || presented.scheme === 'DPoP' || (!believed.ok && believed.error === 'token_bound_to_key')
  const scheme = isOfKey ? 'DPoP' : 'Bearer'
  if (!believed.ok) return err(refuse(guarding, believed.error, { needed, scheme }))
  const authentication = strictest([options.authentication ?? {}, demand])
  // A challenge would send her round for ever: whatever she comes back with, it is not enough.
  if (isImpossible(authentication)) return err(refuse(guarding, 'authentication_impossible', { needed, scheme }))
  if (!meetsDemand(believed.value, authentication, nowSeconds())) {
    const scopes = needed.length > 0 ? needed : baseScopes
    return err(buildChallenge('authentication_insufficient', { metadataUrl, scopes, authentication, scheme }))
  }
  const isEnough = missingScopes(believed.value.scopes, needed, options.scopeImplies).length === 0
  return isEnough ? ok(believed.value) : err(refuse(guarding, 'scope_insufficient', { needed, scheme }))
}

/** Says whether what was presented is good here and now, whatever it is needed for. */
async function believe(guarding: Guarding, presented: Presented): Promise<Result<VerifiedToken, GuardRefusal>> {
  const { issuers, barriers, maxTokenLifeSeconds, options, receivers, nowSeconds, takesBoundTokensAlone } = guarding
  const { authorization, token, scheme } = presented
  if (authorization === undefined) return err('token_missing')
  if (token === undefined) return err('token_malformed')
  // First of all: where the clock went back, nothing that was heard counts.
  const now = nowSeconds()
  if (![...receivers.values()].some((receiver) => receiver.heardAtSeconds() !== undefined)) return err('not_ready')
  const proof = scheme === 'DPoP' ? readProofOf(guarding, presented, token) : ok(undefined)
  if (!proof.ok) return proof
  if (takesBoundTokensAlone && proof.value === undefined) return err('bound_token_required')
  const verified = await verifyAccessToken({ issuers, resource: options.resource, barriers, maxTokenLifeSeconds }, token, now)
  if (!verified.ok) return verified
  const held = await holdToKey(verified.value, proof.value)
  if (!held.ok) return held
  const heard = await checkHearing(guarding, token, verified.value)
  return heard.ok ? useUp(guarding, heard.value, proof.value) : heard
}

function readProofOf(
  { publicUrl, nowSeconds }: Guarding,
  { dpop, method, path }: Presented,
  token: string,
): Result<ReadProof, GuardRefusal> {
  if (dpop === undefined) return err('proof_missing')
  const url = path?.startsWith('/') ? `${publicUrl}${path}` : undefined
  return readProof(dpop, { method, url, token, nowSeconds: nowSeconds() })
}

/** A bound token without its proof is refused, and so is a token that is bound to nothing with one. @spec RFC 9449 §7.1, §7.2 */
async function holdToKey({ keyThumbprint }: VerifiedToken, proof: ReadProof | undefined): Promise<Result<undefined, GuardRefusal>> {
  if (proof === undefined) return keyThumbprint === undefined ? ok(undefined) : err('token_bound_to_key')
  return keyThumbprint === undefined ? err('token_not_bound') : verifyProof(proof, keyThumbprint)
}

/** Last of all, and at once: of twins that came together, one finds the proof unused. */
function useUp(
  { proofs, nowSeconds }: Guarding,
  verified: VerifiedToken,
  proof: ReadProof | undefined,
): Result<VerifiedToken, GuardRefusal> {
  if (proof === undefined || verified.keyThumbprint === undefined) return ok(verified)
  const { id, issuedAtSeconds } = proof
  switch (proofs.believeOnce({ thumbprint: verified.keyThumbprint, id, issuedAtSeconds }, nowSeconds())) {
    case 'believed':
      return ok(verified)
    case 'replayed':
      return err('proof_replayed')
    case 'too_old':
      return err('proof_not_of_now')
    case 'full':
      return err('proofs_exhausted')
  }
}

/** Fails closed: what is not known to be fresh is refused, or asked about where the owner chose so. */
async function checkHearing(guarding: Guarding, token: string, verified: VerifiedToken): Promise<Result<VerifiedToken, GuardRefusal>> {
  const { issuers, nowSeconds, fetchLike } = guarding
  // The clock first: it may have gone back since the beginning, and then nothing was heard.
  const now = nowSeconds()
  const silence = whatSilenceSays(guarding, verified, now)
  if (silence === undefined) return ok(verified)
  if (silence !== 'ask') return err(silence)
  const live = await introspect(fetchLike, issuers.get(verified.issuer) as TrustedIssuer, token, nowSeconds)
  if (live.ok && live.value.keyThumbprint !== verified.keyThumbprint) return err('token_inactive')
  return live.ok
    ? ok(
        withScopes(
          verified,
          verified.scopes.filter((name) => live.value.scopes.includes(name)),
        ),
      )
    : live
}

/** Undefined: enough was heard of its issuer, for its tenant. */
function whatSilenceSays(
  { receivers, deafAfterSeconds, options }: Guarding,
  { issuer, tenant }: VerifiedToken,
  now: number,
): 'not_ready' | 'deaf' | 'ask' | undefined {
  const heardAt = receivers.get(issuer)?.heardAtSeconds(tenant)
  if (heardAt === undefined) return 'not_ready'
  if (now - heardAt < deafAfterSeconds) return undefined
  return options.onDeaf === 'refuse' ? 'deaf' : 'ask'
}

/** The clock first, as at a request. */
function lookAgain(guarding: Guarding, checked: VerifiedToken): GuardRefusal | 'ask' | undefined {
  const now = guarding.nowSeconds()
  return whyEnded(guarding, checked, now) ?? whatSilenceSays(guarding, checked, now)
}

async function askAgain(guarding: Guarding, checked: VerifiedToken): Promise<GuardRefusal | undefined> {
  const token = textOf(checked)
  const live = token === undefined ? undefined : await personOf(guarding, token, checked)
  return live?.ok === false ? live.error : undefined
}

async function personOf(
  { fetchLike, issuers, nowSeconds }: Guarding,
  token: string,
  { issuer }: VerifiedToken,
): Promise<Result<Person, GuardRefusal>> {
  const trusted = issuers.get(issuer)
  if (trusted === undefined) return err('token_of_unknown_issuer')
  const live = await introspect(fetchLike, trusted, token, nowSeconds)
  return live.ok ? ok(live.value.person) : live
}

/** Reads the options once; a combination that could not be safe stops the start. */
function readOptions(options: GuardOptions) {
  if (options.issuers.length === 0) throw new Error('guard: name at least one issuer')
  checkDemands(options)
  const deafAfterSeconds = options.deafAfterSeconds ?? defaultDeafAfterSeconds
  if (!(deafAfterSeconds >= leastDeafAfterSeconds && deafAfterSeconds <= mostDeafAfterSeconds))
    throw new Error(`guard: deafAfterSeconds must be ${leastDeafAfterSeconds} to ${mostDeafAfterSeconds}`)
  const maxTokenLifeSeconds = options.maxTokenLifeSeconds ?? defaultMaxTokenLifeSeconds
  const fetchLike = options.fetch ?? globalThis.fetch
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, trustIssuer(issuer, fetchLike)]))
  if (issuers.size !== options.issuers.length) throw new Error('guard: an issuer is named twice')
  const clock = watchClock(options.now ?? Date.now)
  const { nowSeconds } = clock
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
  const { required = false, publicUrl, maxProofs = defaultMaxProofs } = options.dpop ?? {}
  if (!Number.isInteger(maxProofs) || maxProofs < 1) throw new Error('guard: dpop.maxProofs must be a whole number of at least 1')
  return {
    ...{ issuers, clock, nowSeconds, barriers, maxTokenLifeSeconds, deafAfterSeconds, fetchLike, receiving },
    takesBoundTokensAlone: required,
    publicUrl: readPublicUrl(publicUrl ?? new URL(options.resource).origin),
    proofs: createProofMemory(maxProofs),
  }
}

/** Without the slash at its end: a path follows. */
function readPublicUrl(url: string): string {
  if (targetOf(url) === undefined || /[?#]/.test(url)) throw new Error('guard: dpop.publicUrl must be an address of the web, without query')
  return url.replace(/\/$/, '')
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

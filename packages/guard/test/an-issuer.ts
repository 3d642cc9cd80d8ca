/** An issuer for the guard's tests: real ES256 keys and signatures, answered through a `fetch`, as honest or hostile as the test asks. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'

export const resource = 'https://mcp.example/mcp'
export const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
export const signingKeyCondemned = 'urn:drawbridge:event:signing-key-condemned'

export type SentPoll = {
  readonly streamId: string
  readonly returnImmediately: boolean
  readonly ack: readonly string[]
  readonly setErrs: Readonly<Record<string, unknown>>
}

export type AnIssuer = {
  readonly issuer: string
  readonly fetch: typeof fetch
  readonly polls: SentPoll[]
  readonly opened: string[]
  /** By tenant, target and epoch. */
  snapshot: unknown
  condemnedKeys: unknown[]
  /** How often each set of keys was fetched. */
  readonly fetched: Record<'/jwks' | '/ssf/jwks', number>
  /** The keys in use: `t1` for tokens and `n1` for notices until they are replaced. */
  readonly tokenKey: AKey
  readonly noticeKey: AKey
  /** A new key for tokens signs from now on; the old one is published until `unpublish`. */
  replaceTokenKey(): Promise<AKey>
  unpublish(kid: string): void
  /** Whatever a set may have in it. */
  publish(path: '/jwks' | '/ssf/jwks', jwk: JWK): void
  /** What the next polls bring; a poll with nothing waiting is held until something arrives or the guard hangs up. */
  push(sets: Record<string, string>): void
  /** It says nothing of what it owes when a stream is opened, as the version before did. */
  isOld: boolean
  /** What openings and the next polls say is still to come: of everybody, or of these tenants alone. */
  owes: true | readonly string[] | undefined
  isActive: boolean
  /** What introspection tells beside. */
  person: Readonly<Record<string, unknown>>
  /** `cnf`, as introspection says it. */
  confirmation: unknown
  isDown: boolean
  /** How the next calls at these addresses are answered instead, each once. */
  readonly turnsAway: Record<'/ssf/streams' | '/ssf/poll' | '/ssf/jwks', TurnedAway[]>
  signToken(claims?: JWTPayload, header?: { typ?: string; key?: CryptoKey; kid?: string | undefined }): Promise<string>
  signNotice(told: { target: string; targetId: string; epoch: number; tenant?: string }, over?: Over): Promise<SignedNotice>
  signCondemnation(kid: unknown, over?: Over): Promise<SignedNotice>
}
/** `lost`: what it answers does not arrive. */
export type TurnedAway = { readonly status: number; readonly retryAfter?: string } | 'lost'
export type AKey = { readonly kid: string; readonly privateKey: CryptoKey; readonly jwk: JWK }
export type SignedNotice = { readonly jti: string; readonly token: string }
export type Over = { readonly claims?: JWTPayload; readonly typ?: string; readonly key?: CryptoKey; readonly kid?: string | undefined }

async function aKey(kid: string): Promise<AKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } }
}

export async function anIssuer(options: {
  readonly issuer: string
  readonly tenant: string
  readonly now: () => number
}): Promise<AnIssuer> {
  let tokenKey = await aKey('t1')
  const noticeKey = await aKey('n1')
  const published = { '/jwks': [tokenKey.jwk], '/ssf/jwks': [noticeKey.jwk] }
  const seconds = () => Math.floor(options.now() / 1000)
  const waiting: Record<string, string>[] = []
  let wake: () => void = () => {}
  let count = 0

  type Signer = { readonly typ: string; readonly key: CryptoKey; readonly kid: string | undefined }
  const sign = (payload: JWTPayload, { typ, key, kid }: Signer) =>
    new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ, ...(kid === undefined ? {} : { kid }) }).sign(key)
  const signSet = async (claims: JWTPayload, over: Over): Promise<SignedNotice> => {
    const jti = `n${++count}`
    const set = { iss: options.issuer, aud: resource, iat: seconds(), jti, ...claims, ...over.claims }
    const signer = { typ: over.typ ?? 'secevent+jwt', key: over.key ?? noticeKey.privateKey, kid: 'kid' in over ? over.kid : noticeKey.kid }
    return { jti, token: await sign(set, signer) }
  }

  const json = (body: unknown, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

  const poll = async (signal: AbortSignal | null | undefined): Promise<Response> => {
    if (waiting.length === 0) {
      await new Promise<void>((resolve, reject) => {
        wake = resolve
        signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    }
    return answerPoll()
  }
  const answerPoll = () => json({ sets: waiting.shift() ?? {}, ...whatIsOwed() })
  const whatIsOwed = () => {
    const { owes } = self
    return { moreAvailable: owes !== undefined, ...(Array.isArray(owes) ? { lateTenants: owes } : {}) }
  }

  const turnAway = (how: TurnedAway): Response => {
    if (how === 'lost') throw new TypeError('fetch failed')
    return new Response('{}', { status: how.status, headers: how.retryAfter === undefined ? {} : { 'Retry-After': how.retryAfter } })
  }

  const fetchLike = async (input: unknown, init?: RequestInit): Promise<Response> => {
    if (self.isDown) throw new TypeError('fetch failed')
    const path = String(input).slice(options.issuer.length)
    const turnedAway = self.turnsAway[path as keyof AnIssuer['turnsAway']]?.shift()
    if (turnedAway !== undefined) {
      if (path === '/ssf/poll') self.polls.push(JSON.parse(init?.body as string) as SentPoll)
      return turnAway(turnedAway)
    }
    if (path === '/jwks' || path === '/ssf/jwks') {
      self.fetched[path] += 1
      return json({ keys: published[path] })
    }
    if (path === '/introspect') return json({ ...self.person, active: self.isActive, scope: 'documents:read', cnf: self.confirmation })
    const body = JSON.parse(init?.body as string) as Record<string, unknown>
    if (path === '/ssf/streams') {
      self.opened.push(String(body['instance']))
      return json(
        {
          ...{ streamId: `stream-${self.opened.length}`, snapshot: self.snapshot, condemnedKeys: self.condemnedKeys, position: 0 },
          ...(self.isOld ? {} : whatIsOwed()),
        },
        201,
      )
    }
    self.polls.push(body as unknown as SentPoll)
    if (body['maxEvents'] === 0) return json({ sets: {} })
    return body['returnImmediately'] === true ? answerPoll() : poll(init?.signal)
  }

  const self: AnIssuer = {
    issuer: options.issuer,
    fetch: fetchLike as typeof fetch,
    polls: [],
    opened: [],
    snapshot: {},
    condemnedKeys: [],
    fetched: { '/jwks': 0, '/ssf/jwks': 0 },
    get tokenKey() {
      return tokenKey
    },
    noticeKey,
    replaceTokenKey: async () => {
      tokenKey = await aKey(`t${published['/jwks'].length + 1}`)
      published['/jwks'].push(tokenKey.jwk)
      return tokenKey
    },
    publish: (path, jwk) => {
      published[path].push(jwk)
    },
    unpublish: (kid) => {
      published['/jwks'] = published['/jwks'].filter((key) => key.kid !== kid)
    },
    isOld: false,
    owes: undefined,
    isActive: true,
    person: {},
    confirmation: undefined,
    isDown: false,
    turnsAway: { '/ssf/streams': [], '/ssf/poll': [], '/ssf/jwks': [] },
    push: (sets) => {
      waiting.push(sets)
      wake()
    },
    signToken: (claims = {}, header = {}) =>
      sign(
        {
          iss: options.issuer,
          sub: 'ada',
          aud: resource,
          iat: seconds(),
          exp: seconds() + 900,
          jti: `t${++count}`,
          client_id: 'agent',
          scope: 'documents:read',
          tenant: options.tenant,
          gid: 'grant-1',
          epochs: '1.1.1.1.1',
          ...claims,
        },
        { typ: header.typ ?? 'at+jwt', key: header.key ?? tokenKey.privateKey, kid: 'kid' in header ? header.kid : tokenKey.kid },
      ),
    signNotice: (told, over = {}) =>
      signSet(
        { events: { [sessionRevoked]: { event_timestamp: seconds() } }, drawbridge: { tenant: options.tenant, ...told } } as JWTPayload,
        over,
      ),
    signCondemnation: (kid, over = {}) =>
      signSet(
        { events: { [signingKeyCondemned]: { event_timestamp: seconds(), kid } }, drawbridge: { tenant: options.tenant } } as JWTPayload,
        over,
      ),
  }
  return self
}

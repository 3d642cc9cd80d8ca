/** An issuer for the guard's tests: real ES256 keys and signatures, answered through a `fetch`, as honest or hostile as the test asks. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export const resource = 'https://mcp.example/mcp'
export const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'

export type SentPoll = { readonly streamId: string; readonly ack: readonly string[]; readonly setErrs: Readonly<Record<string, unknown>> }

export type AnIssuer = {
  readonly issuer: string
  readonly fetch: typeof fetch
  readonly polls: SentPoll[]
  readonly opened: string[]
  snapshot: unknown[]
  /** What the next polls bring; a poll with nothing waiting is held until something arrives or the guard hangs up. */
  push(sets: Record<string, string>): void
  isActive: boolean
  isDown: boolean
  signToken(claims?: JWTPayload, header?: { typ?: string; key?: CryptoKey }): Promise<string>
  signNotice(
    told: { target: string; targetId: string; epoch: number; tenant?: string },
    over?: Over,
  ): Promise<{ jti: string; token: string }>
}
export type Over = { readonly claims?: JWTPayload; readonly typ?: string; readonly key?: CryptoKey }

export async function anIssuer(options: {
  readonly issuer: string
  readonly tenant: string
  readonly now: () => number
}): Promise<AnIssuer> {
  const keys = await generateKeyPair('ES256', { extractable: true })
  const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] }
  const seconds = () => Math.floor(options.now() / 1000)
  const waiting: Record<string, string>[] = []
  let wake: () => void = () => {}
  let count = 0

  const sign = (payload: JWTPayload, typ: string, key: CryptoKey = keys.privateKey) =>
    new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ, kid: 'k1' }).sign(key)

  const json = (body: unknown, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

  const poll = async (signal: AbortSignal | null | undefined): Promise<Response> => {
    if (waiting.length === 0) {
      await new Promise<void>((resolve, reject) => {
        wake = resolve
        signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    }
    return json({ sets: waiting.shift() ?? {}, moreAvailable: false })
  }

  const fetchLike = async (input: unknown, init?: RequestInit): Promise<Response> => {
    if (self.isDown) throw new TypeError('fetch failed')
    const path = String(input).slice(options.issuer.length)
    if (path === '/jwks') return json(jwks)
    if (path === '/introspect') return json({ active: self.isActive, scope: 'documents:read' })
    const body = JSON.parse(init?.body as string) as Record<string, unknown>
    if (path === '/ssf/streams') {
      self.opened.push(String(body['instance']))
      return json({ streamId: `stream-${self.opened.length}`, snapshot: self.snapshot, position: 0 }, 201)
    }
    self.polls.push(body as unknown as SentPoll)
    return body['returnImmediately'] === true ? json({ sets: {} }) : poll(init?.signal)
  }

  const self: AnIssuer = {
    issuer: options.issuer,
    fetch: fetchLike as typeof fetch,
    polls: [],
    opened: [],
    snapshot: [],
    isActive: true,
    isDown: false,
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
        header.typ ?? 'at+jwt',
        header.key,
      ),
    signNotice: async (told, over = {}) => {
      const jti = `n${++count}`
      const claims = {
        iss: options.issuer,
        aud: resource,
        iat: seconds(),
        jti,
        events: { [sessionRevoked]: { event_timestamp: seconds() } },
        drawbridge: { tenant: options.tenant, ...told },
        ...over.claims,
      }
      return { jti, token: await sign(claims, over.typ ?? 'secevent+jwt', over.key) }
    },
  }
  return self
}

/** The smallest honest issuer on loopback, for the agent's tests: it lets everybody in and tells guards what a test revokes. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { signJwt } from '@drawbridge/crypto/jwt'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateSigningKey, toSigningKey } from '@drawbridge/crypto/signing-keys'

const random = systemRandom()

type Poll = { readonly ack: readonly string[]; readonly returnImmediately: boolean }
export type TinyIssuer = {
  readonly issuer: string
  /** Everything asked of the token endpoint. */
  readonly exchanges: URLSearchParams[]
  readonly registrations: Record<string, unknown>[]
  /** Plays the person and her browser: follows the authorization URL to where it sends her. */
  browse(url: URL): Promise<URL>
  revoke(subject: string): void
  close(): Promise<void>
}

export async function aTinyIssuer(): Promise<TinyIssuer> {
  const tokenKey = generateSigningKey(random, 'tokens')
  const noticeKey = generateSigningKey(random, 'notices')
  const codes = new Map<string, URLSearchParams>()
  const exchanges: URLSearchParams[] = []
  const registrations: Record<string, unknown>[] = []
  const waiting: { jti: string; subject: string }[] = []
  const wakes = new Set<() => void>()
  let issuer = ''

  const accessToken = (asked: URLSearchParams): string => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, sub: 'ada', aud: asked.get('resource'), iat: now, exp: now + 900, jti: random.uuid(), tenant: 'tiny' }
    const more = { client_id: asked.get('client_id'), scope: asked.get('scope') ?? '', gid: random.uuid(), epochs: '1.1.1.1.1' }
    return signJwt(toSigningKey(tokenKey, tokenKey.privateKey), { typ: 'at+jwt' }, { ...claims, ...more })
  }
  const notice = ({ jti, subject }: { jti: string; subject: string }, resource: string): string => {
    const events = { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} }
    const ours = { target: 'subject', targetId: subject, epoch: 2, tenant: 'tiny' }
    return signJwt(
      toSigningKey(noticeKey, noticeKey.privateKey),
      { typ: 'secevent+jwt' },
      { iss: issuer, aud: resource, iat: Math.floor(Date.now() / 1000), jti, events, drawbridge: ours },
    )
  }
  const redeem = (form: URLSearchParams): [number, unknown] => {
    exchanges.push(form)
    const asked = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (asked === undefined || asked.get('code_challenge') !== challenge) return [400, { error: 'invalid_grant' }]
    return [200, { access_token: accessToken(asked), token_type: 'Bearer', expires_in: 900, scope: asked.get('scope') ?? '' }]
  }
  const poll = async ({ ack, returnImmediately }: Poll): Promise<unknown> => {
    for (const jti of ack)
      waiting.splice(
        waiting.findIndex((one) => one.jti === jti),
        1,
      )
    if (waiting.length === 0 && !returnImmediately) await new Promise<void>((resolve) => wakes.add(resolve))
    return { sets: Object.fromEntries(waiting.map((one) => [one.jti, notice(one, resourceOf())])), moreAvailable: false }
  }
  let resourceOf = () => ''

  const answer = async (path: string, body: string): Promise<[number, unknown]> => {
    if (path.startsWith('/.well-known/')) return [200, metadata(issuer)]
    if (path === '/t/tiny/jwks') return [200, { keys: [tokenKey.publicJwk] }]
    if (path === '/t/tiny/ssf/jwks') return [200, { keys: [noticeKey.publicJwk] }]
    if (path === '/t/tiny/token') return redeem(new URLSearchParams(body))
    if (path === '/t/tiny/ssf/streams') return [201, { streamId: random.uuid(), snapshot: {}, condemnedKeys: [], position: 0 }]
    if (path === '/t/tiny/ssf/poll') return [200, await poll(JSON.parse(body) as Poll)]
    if (path !== '/t/tiny/register') return [404, { error: 'not_found' }]
    const registration = JSON.parse(body) as Record<string, unknown>
    registrations.push(registration)
    return [201, { ...registration, client_id: random.uuid() }]
  }
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname
    readBody(request)
      .then((body) => answer(path, body))
      .then(([status, value]) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value)))
      .catch(() => response.writeHead(500).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/t/tiny`

  return {
    issuer,
    exchanges,
    registrations,
    browse: async (url) => {
      const code = random.token()
      codes.set(code, url.searchParams)
      resourceOf = () => url.searchParams.get('resource') ?? ''
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      back.search = new URLSearchParams({ code, state: url.searchParams.get('state') ?? '', iss: issuer }).toString()
      return back
    },
    revoke: (subject) => {
      waiting.push({ jti: random.uuid(), subject })
      for (const wake of wakes) wake()
      wakes.clear()
    },
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  }
}

const metadata = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  registration_endpoint: `${issuer}/register`,
  response_types_supported: ['code'],
  grant_types_supported: ['authorization_code', 'refresh_token'],
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['none'],
  authorization_response_iss_parameter_supported: true,
  client_id_metadata_document_supported: true,
})

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

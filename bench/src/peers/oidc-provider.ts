/** The peer's authorization server on the same PostgreSQL, asked the same, in the same order and the same numbers. */
import { generateKeyPairSync } from 'node:crypto'
import { aChallenge, aVerifier } from '@drawbridge/testkit/a-grant'
import { asOwner } from '@drawbridge/testkit/database'
import { codeOf, cookiesOf, expectRedirect, posted } from '../browser-steps.js'
import { type Answered, connections, createSender, loop, type Measured, measure, type Sender, type Workload } from '../closed-loop.js'
import type { Laboratory } from '../laboratory.js'
import { loginRow, loginSize } from '../login-workloads.js'
import { assertionFor, keyedJwk, robotSecret } from '../machine-clients.js'
import { expectOk, oauthSizes, rounds, taken } from '../oauth-workloads.js'
import { residentBytesOf } from '../process-figures.js'
import { uncounted } from '../statement-count.js'
import type { ProviderSetting } from './oidc-provider-server.js'
import { startPeer } from './peer-server.js'

const resource = 'https://mcp.bench.example/mcp'
/** Its tokens are opaque there: of signed ones it cannot tell whether they live. */
const opaqueResource = 'https://opaque.bench.example/mcp'
const redirectUri = 'https://client.bench.example/callback'

type Tokens = { readonly access_token: string; readonly refresh_token: string }
type Peer = { readonly sender: Sender; readonly issuer: string; readonly laboratory: Laboratory }

export type PeerFigures = { readonly measured: readonly Measured[]; readonly residentBytes: number }

export async function measureOidcProvider(laboratory: Laboratory, folder: string, isTrial: boolean): Promise<PeerFigures> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signingJwk = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }
  // It warns of this version of Node and of its pages for development.
  const program = { database: 'oidc_provider', program: 'oidc-provider-server.js', says: false }
  const server = await startPeer(
    laboratory,
    program,
    ({ port, databaseUrl }): ProviderSetting => ({
      ...{ folder, port, databaseUrl, resource, opaqueResource, redirectUri, robotSecret },
      ...{ keyedJwk: { ...keyedJwk }, signingJwk },
    }),
  )
  const sender = createSender(server.url)
  const analyze = () => asOwner(server.databaseUrl, 'ANALYZE').then(() => undefined)
  const watched = { serverPid: server.pid, databasePid: laboratory.databasePid, counter: { ...uncounted, analyze } }
  try {
    const measured: Measured[] = []
    for (const workload of workloadsOf({ sender, issuer: `http://localhost:${server.port}`, laboratory }, isTrial)) {
      console.error(`  oidc-provider: ${workload.name} …`)
      measured.push(await measure(workload, watched))
    }
    return { measured, residentBytes: residentBytesOf(server.pid) }
  } finally {
    sender.close()
    await server.stop()
  }
}

function workloadsOf({ sender, issuer, laboratory }: Peer, isTrial: boolean): readonly Workload[] {
  const sizes = oauthSizes(isTrial)
  const sessions: string[] = []
  const codes: string[] = []
  const tokens: Tokens[] = []
  const opaque: Tokens[] = []
  const lanes: Tokens[] = []
  const ask = async (path: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) => {
    const call = posted(path, new URLSearchParams(form))
    return expectOk(await sender.send({ ...call, headers: { ...call.headers, ...headers } }))
  }
  const machine = { grant_type: 'client_credentials', resource, scope: 'read' }
  const redeem = async (code: string): Promise<Tokens> =>
    JSON.parse(
      await ask('/token', {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: aVerifier,
        client_id: 'agent',
      }),
    ) as Tokens
  const authorized = async (lane: number, wanted = resource) =>
    codeOf(expectRedirect(await sender.send({ method: 'GET', path: authorizePath(wanted), headers: { cookie: sessions[lane] as string } })))
  const openCodes = (count: number) => loop(async (lane) => void codes.push(await authorized(lane)), 0, count)
  const openSessions = async () => {
    for (let person = 0; person < connections; person += 1) sessions.push(await signIn(sender, `person-${person}`))
  }
  const get = async (path: string) => void expectOk(await sender.send({ method: 'GET', path }))
  const now = () => laboratory.platform.clock.now()
  const credential = `Basic ${Buffer.from(`resource:${robotSecret}`).toString('base64')}`
  return [
    { name: 'metadata', aim: '', rounds, ...sizes.document, run: () => get('/.well-known/openid-configuration') },
    { name: 'JWKS', aim: '', rounds, ...sizes.document, run: () => get('/jwks') },
    {
      ...{ name: 'client_credentials, secret', aim: '', rounds, ...sizes.machine },
      run: async () => void (await ask('/token', { ...machine, client_id: 'robot', client_secret: robotSecret })),
    },
    {
      ...{ name: 'client_credentials, private_key_jwt', aim: '', rounds, ...sizes.machine },
      run: async () => void (await ask('/token', { ...machine, ...assertionFor(issuer, now()) })),
    },
    {
      ...{ name: 'code redemption', aim: '', rounds, ...sizes.code },
      prepare: async () => {
        await openSessions()
        await openCodes(sizes.code.warmUp + rounds * sizes.code.perRound)
      },
      run: async () => void tokens.push(await redeem(taken(codes))),
    },
    {
      ...{ name: 'refresh rotation', aim: '', rounds, ...sizes.refresh },
      prepare: async () => void lanes.push(...tokens.splice(0, connections)),
      run: async (lane) => {
        const { refresh_token } = lanes[lane] as Tokens
        lanes[lane] = JSON.parse(await ask('/token', { grant_type: 'refresh_token', refresh_token, client_id: 'agent' })) as Tokens
      },
    },
    {
      ...{ name: 'introspection', aim: '', rounds, ...sizes.introspect },
      prepare: async () => {
        for (let lane = 0; lane < connections; lane += 1) opaque.push(await redeem(await authorized(lane, opaqueResource)))
      },
      run: async (_lane, turn) => {
        const { access_token } = opaque[turn % opaque.length] as Tokens
        const said = await ask('/token/introspection', { token: access_token }, { authorization: credential })
        if (!said.includes('"active":true')) throw new Error('a living token was called inactive')
      },
    },
    {
      ...{ name: 'revocation', aim: '', rounds, ...sizes.revoke },
      run: async () => void (await ask('/token/revocation', { token: taken(tokens).refresh_token, client_id: 'agent' })),
    },
    { name: loginRow, aim: '', rounds, ...loginSize(isTrial), run: async (lane) => void (await redeem(await authorized(lane))) },
  ]
}

const authorizePath = (wanted: string) =>
  `/auth?${new URLSearchParams({
    client_id: 'agent',
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: aChallenge,
    code_challenge_method: 'S256',
    resource: wanted,
    scope: 'openid offline_access read write',
    state: 'xyz',
  })}`

/** Its page for development asks for a name. Answers the cookies of the signed-in browser. */
async function signIn(sender: Sender, person: string): Promise<string> {
  const jar = new Map<string, string>()
  const keep = (answered: Answered): Answered => {
    for (const cookie of cookiesOf(answered).split('; ').filter(Boolean)) jar.set(cookie.split('=', 1)[0] as string, cookie)
    return answered
  }
  const cookie = () => ({ cookie: [...jar.values()].join('; ') })
  const asked = pathOf(keep(await sender.send({ method: 'GET', path: authorizePath(resource), headers: cookie() })))
  const form = posted(asked, new URLSearchParams({ prompt: 'login', login: person, password: 'any' }))
  const answered = keep(await sender.send({ ...form, headers: { ...form.headers, ...cookie() } }))
  codeOf(keep(await sender.send({ method: 'GET', path: pathOf(answered), headers: cookie() })))
  return [...jar.values()].join('; ')
}

function pathOf(answered: Answered): string {
  const { pathname, search } = new URL(String(expectRedirect(answered).headers.location), 'http://localhost')
  return pathname + search
}

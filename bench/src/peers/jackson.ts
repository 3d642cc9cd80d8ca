/** The nearest peer, driven through the same logins as we are: one server on the same PostgreSQL, the same IdPs, the same browser. */
import { openBrowser } from '@drawbridge/simulator/browser'
import { aChallenge, aVerifier } from '@drawbridge/testkit/a-grant'
import { asParameter } from '../bench-idp.js'
import { codeOf, expectRedirect, posted } from '../browser-steps.js'
import { type Answered, createSender, loop, measure, type Sender, type Workload } from '../closed-loop.js'
import type { Column, Figure } from '../federation.js'
import { type FederationRow, federationRows, federationSizes, next } from '../federation-workloads.js'
import type { Laboratory } from '../laboratory.js'
import { uncounted } from '../statement-count.js'
import type { JacksonReady, JacksonSetting } from './jackson-server.js'
import { tamper } from './libraries.js'
import { type PeerServer, startPeer } from './peer-server.js'

const redirectUri = 'https://client.bench.example/callback'
const rounds = 5
type Server = PeerServer<JacksonReady>

export async function measureJackson(laboratory: Laboratory, folder: string, isTrial: boolean): Promise<Column> {
  const server = await startJackson(laboratory, folder)
  const sender = createSender(server.url)
  try {
    const jackson = { laboratory, server, sender }
    await expectTamperedRefused(jackson)
    const figures: Partial<Record<FederationRow, Figure>> = {}
    for (const { row, ...workload } of workloads(jackson, isTrial)) {
      console.error(`  Jackson: ${workload.name} …`)
      figures[row] = await measure(workload, { serverPid: server.pid, databasePid: laboratory.databasePid, counter: uncounted })
    }
    return { name: 'Jackson', figures }
  } finally {
    sender.close()
    await server.stop()
  }
}

function startJackson(laboratory: Laboratory, folder: string): Promise<Server> {
  const { simulator, idp } = laboratory
  return startPeer(
    laboratory,
    { database: 'jackson', program: 'jackson-server.js', says: true },
    ({ port, databaseUrl, url }): JacksonSetting => {
      simulator.connect('globex', { oidcRedirectUri: `${url}/oidc` })
      const oidc = { issuer: simulator.oidcIssuer('globex'), ...simulator.oidcClient('globex') }
      return { folder, port, databaseUrl, samlMetadata: idp.metadata, oidc, redirectUri }
    },
  )
}

type Running = { readonly laboratory: Laboratory; readonly server: Server; readonly sender: Sender }

async function goOut({ sender }: Running, clientId: string): Promise<Answered> {
  const query = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', state: 'xyz', login_hint: 'ada@globex.example' },
    ...{ code_challenge: aChallenge, code_challenge_method: 'S256' },
  })
  return expectRedirect(await sender.send({ method: 'GET', path: `/authorize?${query}` }))
}

/** The form that the IdP makes the browser post. */
function signIn({ laboratory: { idp } }: Running, out: Answered, encryptTo?: string): URLSearchParams {
  const url = String(out.headers.location)
  const SAMLResponse = asParameter(idp.answer(idp.read(url), encryptTo))
  return new URLSearchParams({ SAMLResponse, RelayState: new URL(url).searchParams.get('RelayState') ?? '' })
}

const comeHome = async ({ sender }: Running, form: URLSearchParams): Promise<string> =>
  codeOf(expectRedirect(await sender.send(posted('/saml', form))))

async function redeem({ sender }: Running, code: string): Promise<void> {
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: aVerifier }
  const answered = await sender.send(posted('/token', new URLSearchParams(form)))
  if (answered.status !== 200 || !answered.text.includes('access_token')) throw new Error(`Jackson gave no token: ${answered.text}`)
}

/** Who accepts a changed response has not looked, and has no figure. */
async function expectTamperedRefused(jackson: Running): Promise<void> {
  const form = signIn(jackson, await goOut(jackson, jackson.server.ready.samlClientId))
  form.set('SAMLResponse', tamper(form.get('SAMLResponse') ?? ''))
  const answered = await jackson.sender.send(posted('/saml', form))
  const { location } = answered.headers
  if (location !== undefined && new URL(location).searchParams.has('code'))
    throw new Error('Jackson accepted a response that was changed: its figures would be void')
}

type Row = Workload & { readonly row: FederationRow }

function workloads(jackson: Running, isTrial: boolean): readonly Row[] {
  const { server, sender } = jackson
  const sizes = federationSizes(isTrial)
  const row = (name: FederationRow, rest: Pick<Workload, 'run' | 'prepare'>): Row => {
    // It is ten times as slow, and as warm after a tenth.
    const { warmUp, perRound } = sizes[name]
    const size = isTrial ? sizes[name] : { warmUp: Math.ceil(warmUp / 5), perRound: Math.ceil(perRound / 3) }
    return { row: name, name: federationRows[name], aim: '', rounds, ...size, ...rest }
  }
  const wayHome = (name: 'signed' | 'encrypted', encryptTo?: string): Row => {
    const waiting: URLSearchParams[] = []
    const made: Row = row(name, {
      prepare: async () => {
        const goAndSignIn = async () => void waiting.push(signIn(jackson, await goOut(jackson, server.ready.samlClientId), encryptTo))
        await loop(goAndSignIn, 0, made.warmUp + rounds * made.perRound)
      },
      run: async () => void (await comeHome(jackson, next(waiting))),
    })
    return made
  }
  return [
    row('authorize', { run: async () => void (await goOut(jackson, server.ready.samlClientId)) }),
    wayHome('signed'),
    wayHome('encrypted', server.ready.encryptTo),
    row('saml', {
      run: async () => redeem(jackson, await comeHome(jackson, signIn(jackson, await goOut(jackson, server.ready.samlClientId)))),
    }),
    row('oidc', {
      run: async () => {
        const out = await goOut(jackson, server.ready.oidcClientId)
        const back = new URL((await openBrowser({ stopAt: `${server.url}/oidc` }).open(String(out.headers.location))).url)
        const home = expectRedirect(await sender.send({ method: 'GET', path: back.pathname + back.search }))
        await redeem(jackson, codeOf(home))
      },
    }),
  ]
}

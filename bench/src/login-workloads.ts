/**
 * Logins through the browser flow: the way out, the way home, whole ones, and the way of somebody who is signed in already. The IdP is the
 * simulator in this process, whose CPU counts for nobody, so that what is measured is the broker's side alone.
 */
import { openBrowser } from '@drawbridge/simulator/browser'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type Answered, connections, loop, type Sender, type Workload } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'
import type { LoginTenant } from './login-tenant.js'

/** A browser that has been at the IdP and brings its answer. */
type Returning = { readonly cookies: string; readonly samlResponse: string; readonly relayState: string }

const rounds = 5
const fullSizes = {
  out: { warmUp: 100, perRound: 300 },
  home: { warmUp: 40, perRound: 80 },
  whole: { warmUp: 40, perRound: 80 },
  again: { warmUp: 100, perRound: 300 },
} as const
const trialSize = { warmUp: 16, perRound: 16 }
const trialSizes = { out: trialSize, home: trialSize, whole: trialSize, again: trialSize }

export function loginWorkloads(laboratory: Laboratory, sender: Sender, isTrial: boolean): readonly Workload[] {
  const sizes = isTrial ? trialSizes : fullSizes
  const { loginTenant, openIdTenant } = laboratory
  const returning: Returning[] = []
  const sessions: string[] = []
  const goOut = async ({ authorizePath }: LoginTenant): Promise<Answered> =>
    expectRedirect(await sender.send({ method: 'GET', path: authorizePath }))
  return [
    {
      name: 'SAML: authorize, to the AuthnRequest',
      aim: '0.30 + 0.12',
      rounds,
      ...sizes.out,
      run: async () => void (await goOut(loginTenant)),
    },
    {
      name: 'SAML: signed response at the ACS, to the code',
      aim: '0.80 + 0.20',
      rounds,
      ...sizes.home,
      prepare: async () =>
        void (await loop(
          async () => {
            const out = await goOut(loginTenant)
            returning.push(await signInAtSimulator(String(out.headers.location), cookiesOf(out)))
          },
          0,
          sizes.home.warmUp + rounds * sizes.home.perRound,
        )),
      run: async () => void sessions.push((await comeHome(loginTenant, sender, returning.pop())).cookies),
    },
    {
      name: 'whole SAML login: authorize, ACS, token',
      aim: '1.6 + 0.6',
      rounds,
      ...sizes.whole,
      run: async () => {
        const out = await goOut(loginTenant)
        const home = await comeHome(loginTenant, sender, await signInAtSimulator(String(out.headers.location), cookiesOf(out)))
        await redeem(loginTenant, sender, home.code)
      },
    },
    {
      name: 'whole login, OIDC upstream (without TLS): authorize, callback, token',
      aim: '1.6 + 0.6',
      rounds,
      ...sizes.whole,
      run: async () => redeem(openIdTenant, sender, await signInAtProvider(openIdTenant, sender, await goOut(openIdTenant))),
    },
    {
      name: 'code + PKCE with a live session, to the token',
      aim: '0.55 + 0.35',
      rounds,
      ...sizes.again,
      run: async (lane) => {
        const cookie = sessions[lane % Math.min(connections, sessions.length)] as string
        const authorized = expectRedirect(await sender.send({ method: 'GET', path: loginTenant.authorizePath, headers: { cookie } }))
        await redeem(loginTenant, sender, codeOf(authorized))
      },
    },
  ]
}

/** The simulator knows the person by the login hint and asks nothing; it answers with a form that posts itself. */
async function signInAtSimulator(url: string, cookies: string): Promise<Returning> {
  const page = await (await fetch(url)).text()
  const field = (name: string): string => {
    const input = (page.match(/<input[^>]*>/g) ?? []).find((tag) => tag.includes(`name="${name}"`))
    const value = input === undefined ? undefined : /value="([^"]*)"/.exec(input)?.[1]
    if (value === undefined) throw new Error(`the simulator’s page has no ${name}`)
    return value.replace(/&#x([0-9a-f]+);/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16))).replaceAll('&amp;', '&')
  }
  return { cookies, samlResponse: field('SAMLResponse'), relayState: field('RelayState') }
}

/** Through the provider's own redirects, then back to the broker with the cookies it gave. Answers the code. */
async function signInAtProvider({ callbackUrl }: LoginTenant, sender: Sender, out: Answered): Promise<string> {
  const back = new URL((await openBrowser({ stopAt: callbackUrl }).open(String(out.headers.location))).url)
  const call = { method: 'GET' as const, path: back.pathname + back.search, headers: { cookie: cookiesOf(out) } }
  return codeOf(expectRedirect(await sender.send(call)))
}

/** The cross-site POST brings no cookies; the redirect after it does. Answers the code and the cookies of the signed-in browser. */
async function comeHome(tenant: LoginTenant, sender: Sender, from: Returning | undefined): Promise<{ code: string; cookies: string }> {
  if (from === undefined) throw new Error('the workload was prepared for fewer operations than it runs')
  const form = new URLSearchParams({ SAMLResponse: from.samlResponse, RelayState: from.relayState })
  const parked = expectRedirect(
    await sender.send({
      method: 'POST',
      path: new URL(tenant.callbackUrl).pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    }),
  )
  const next = new URL(String(parked.headers.location))
  const home = expectRedirect(await sender.send({ method: 'GET', path: next.pathname + next.search, headers: { cookie: from.cookies } }))
  return { code: codeOf(home), cookies: `${from.cookies}; ${cookiesOf(home)}` }
}

async function redeem(tenant: LoginTenant, sender: Sender, code: string): Promise<void> {
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: tenant.redirectUri,
    code_verifier: aVerifier,
    client_id: tenant.clientId,
  }
  const answered = await sender.send({
    method: 'POST',
    path: `/t/${tenant.slug}/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  })
  if (answered.status !== 200) throw new Error(`a measured request was answered ${answered.status}: ${answered.text}`)
}

function expectRedirect(answered: Answered): Answered {
  if (answered.headers.location !== undefined) return answered
  throw new Error(`a redirect was expected, and ${answered.status} was answered: ${answered.text.slice(0, 2000)}`)
}

const cookiesOf = ({ headers }: Answered): string => (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';', 1)[0]).join('; ')

function codeOf({ headers }: Answered): string {
  const code = new URL(String(headers.location)).searchParams.get('code')
  if (code === null) throw new Error(`no code: ${headers.location}`)
  return code
}

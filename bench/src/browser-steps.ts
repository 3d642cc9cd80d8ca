/** What a browser and a client do in a login, step by step: out to the IdP, home again, and the code for tokens. */
import { openBrowser } from '@drawbridge/simulator/browser'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { asParameter, type BenchIdp } from './bench-idp.js'
import type { Answered, Sender } from './closed-loop.js'
import type { SamlTenant } from './federation-tenants.js'
import type { LoginTenant } from './login-tenant.js'

/** A browser that has been at the IdP and brings its answer. */
export type Returning = { readonly cookies: string; readonly samlResponse: string; readonly relayState: string }

export const goOut = async (sender: Sender, { authorizePath }: LoginTenant): Promise<Answered> =>
  expectRedirect(await sender.send({ method: 'GET', path: authorizePath }))

/** The bench's own IdP, which needs nobody's password. */
export function signInAtIdp(idp: BenchIdp, tenant: SamlTenant, out: Answered): Returning {
  const url = String(out.headers.location)
  const samlResponse = asParameter(idp.answer(idp.read(url), tenant.encryptTo))
  return { cookies: cookiesOf(out), samlResponse, relayState: new URL(url).searchParams.get('RelayState') ?? '' }
}

/** Through the provider's own redirects, then back to the broker with the cookies it gave. Answers the code. */
export async function signInAtProvider(sender: Sender, { callbackUrl }: LoginTenant, out: Answered): Promise<string> {
  const back = new URL((await openBrowser({ stopAt: callbackUrl }).open(String(out.headers.location))).url)
  const call = { method: 'GET' as const, path: back.pathname + back.search, headers: { cookie: cookiesOf(out) } }
  return codeOf(expectRedirect(await sender.send(call)))
}

/** The cross-site POST brings no cookies; the redirect after it does. Answers the code and the cookies of the signed-in browser. */
export async function comeHome(sender: Sender, tenant: LoginTenant, from: Returning): Promise<{ code: string; cookies: string }> {
  const form = new URLSearchParams({ SAMLResponse: from.samlResponse, RelayState: from.relayState })
  const parked = expectRedirect(await sender.send(posted(new URL(tenant.callbackUrl).pathname, form)))
  const next = new URL(String(parked.headers.location))
  const home = expectRedirect(await sender.send({ method: 'GET', path: next.pathname + next.search, headers: { cookie: from.cookies } }))
  return { code: codeOf(home), cookies: `${from.cookies}; ${cookiesOf(home)}` }
}

export async function redeem(sender: Sender, tenant: LoginTenant, code: string): Promise<void> {
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: tenant.redirectUri,
    code_verifier: aVerifier,
    client_id: tenant.clientId,
  }
  const answered = await sender.send(posted(`/t/${tenant.slug}/token`, new URLSearchParams(form)))
  if (answered.status !== 200) throw new Error(`a measured request was answered ${answered.status}: ${answered.text}`)
}

export const posted = (path: string, form: URLSearchParams) => ({
  method: 'POST' as const,
  path,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: form.toString(),
})

export function expectRedirect(answered: Answered): Answered {
  if (answered.headers.location !== undefined) return answered
  throw new Error(`a redirect was expected, and ${answered.status} was answered: ${answered.text.slice(0, 2000)}`)
}

export const cookiesOf = ({ headers }: Answered): string =>
  (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';', 1)[0]).join('; ')

export function codeOf({ headers }: Answered): string {
  const code = new URL(String(headers.location)).searchParams.get('code')
  if (code === null) throw new Error(`no code: ${headers.location}`)
  return code
}

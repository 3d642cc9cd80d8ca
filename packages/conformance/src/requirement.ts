/** What a specification demands, and how it is asked of a running server: a row of the matrix. */
import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'

export type Level = 'MUST' | 'MUST NOT' | 'SHOULD'
export type Requirement = {
  readonly section: string
  readonly level: Level
  readonly says: string
  /** Throws when the server does otherwise. */
  readonly ask: (target: Target) => Promise<void>
}

/** The same text is a client at both issuers, so that what is refused there is refused for the credential alone. */
export type Target = {
  readonly issuer: string
  readonly otherIssuer: string
  /** The front issuer, at which the same text is a client, too, and the resource is shared. */
  readonly front: string
  readonly resource: string
  /** Public and approved, known at both issuers by the same id and redirect URI. */
  readonly client: { readonly id: string; readonly redirectUri: string }
  /** Another public one of the same issuer. */
  readonly otherClientId: string
  /** In its own name, with two secrets, at `issuer` alone. */
  readonly machine: { readonly id: string; readonly secret: string; readonly secondSecret: string }
  /** In its own name, at the front issuer: the tenant of `issuer` gave it access, that of `otherIssuer` gave it nothing. */
  readonly frontMachine: { readonly id: string; readonly secret: string }
  /** Two public ones that may ask as devices, and in no other way; the first is known at the front issuer by the same text. */
  readonly device: { readonly id: string; readonly otherId: string }
  /** Brings assertions of an issuer whom `issuer` trusts; `scope`: one of those that they name, and not the only one. */
  readonly agent: { readonly id: string; readonly secret: string; readonly scope: string }
  /** An ID-JAG of that issuer for the agent, another each time; what is said here stands in it otherwise, `undefined` leaves out. */
  readonly assert: (change: AssertionChange) => Promise<string>
  /** May exchange tokens that were issued to `client` for `resource` for tokens of `target`: of the one scope, which `client` is granted. */
  readonly gateway: { readonly id: string; readonly secret: string; readonly target: string; readonly scope: string }
  /** The same at the front issuer, where the tenant of `issuer` permits it, and that of `otherIssuer` nothing. */
  readonly frontGateway: Target['gateway']
  /** The agent at the front issuer, with another secret, and what those issuers say for the tenant of `issuer` there. */
  readonly frontAgent: Pick<Target, 'assert' | 'assertSaml'> & { readonly id: string; readonly secret: string }
  /** A SAML assertion of another such issuer for the agent, base64url, another each time. */
  readonly assertSaml: (change: SamlChange) => Promise<string>
  /** With a secret and a redirect URI; may have words about people (ID-JAG) for one resource of one authorization server of others. */
  readonly worded: {
    readonly id: string
    readonly secret: string
    readonly redirectUri: string
    readonly audience: string
    readonly resource: string
  }
  /** A software statement of an issuer whom `issuer` trusts, and `otherIssuer` does not: about a client at https://stated.example. */
  readonly state: (change: StatementChange) => Promise<string>
  /** In its own name, with a key of P-256 by which it proves itself, at `issuer` alone. */
  readonly keyed: { readonly id: string; readonly kid: string; readonly privateKey: KeyObject }
  /** In its own name, by a certificate, at `issuer` alone. `showing`: the headers of a proxy that verified this certificate, or of one that is not ours. */
  readonly certified: { readonly id: string; readonly showing: (which: ShownCertificate) => Readonly<Record<string, string>> }
  /** Public and approved like `client`; it asked for a sub of its own. */
  readonly pairwise: { readonly id: string; readonly redirectUri: string }
  /** A metadata document at an address of its own, where any issuer may fetch it: a good one, but for what is said here. */
  readonly publish: (change?: DocumentChange) => Published
  readonly resourceCredential: { readonly id: string; readonly secret: string }
  /** Follows an authorization URL as the person would; resolves with the address at which the browser ends. */
  readonly signIn: (authorizationUrl: string) => Promise<string>
  /** One browser, in which the person stays signed in: follows each address as `signIn` does. */
  readonly browser: () => (url: string) => Promise<string>
  /** The first page that a client which nobody approved shows to a new browser. */
  readonly openGate: () => Promise<Gate>
}
/** Its own, one of another name, one of its name that is over, and its own in the words of a stranger. */
export type ShownCertificate = 'own' | 'of-other' | 'lapsed' | 'own-by-stranger'
export type AssertionChange = {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}
export type DocumentChange = {
  /** In place of the good members; undefined leaves one out. */
  readonly members?: Readonly<Record<string, unknown>>
  /** In place of the whole document. */
  readonly text?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}
export type Published = {
  readonly clientId: string
  /** Of the good document: one at a web host. */
  readonly redirectUri: string
  /** From now on it says this. */
  readonly change: (change: DocumentChange) => void
  /** How often anybody fetched it. */
  readonly fetched: () => number
}
export type StatementChange = { readonly claims?: Readonly<Record<string, unknown>>; readonly byStranger?: true }
/** `written`: done to the text after it was signed. */
export type SamlChange = {
  readonly issuer?: string
  readonly audience?: string
  readonly recipient?: string
  readonly inResponseTo?: string
  readonly lifetimeInSeconds?: number
  readonly isUnsigned?: true
  readonly written?: (xml: string) => string
}
export type Gate = {
  readonly headers: Readonly<Record<string, unknown>>
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  readonly cookie: string
}

export type Parameters = Readonly<Record<string, string | undefined>>
export type Answered = { readonly status: number; readonly headers: Headers; readonly json: Readonly<Record<string, unknown>> }

const given = (parameters: Parameters): [string, string][] =>
  Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)

/** A good verifier and its S256 challenge. @spec RFC 7636 Appendix B */
export const proof = {
  verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
} as const

/** `change`: in place of the good parameters; undefined leaves one out. `more` is added as it stands. */
export function authorizeUrl({ issuer, client, resource }: Target, change: Parameters = {}, more = ''): string {
  const good = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    code_challenge: proof.challenge,
    code_challenge_method: 'S256',
    resource,
    state: 'of-the-client',
  }
  return `${issuer}/authorize?${new URLSearchParams(given({ ...good, ...change })).toString()}${more}`
}

/** Where the browser is sent, if anywhere. */
export async function sentTo(url: string): Promise<URL | undefined> {
  const response = await fetch(url, { redirect: 'manual' })
  await response.text()
  const location = response.headers.get('location')
  return location === null ? undefined : new URL(location, url)
}

/** The client is told, at its own redirect URI, with its state and by whom. @spec RFC 6749 §4.1.2.1, RFC 9207 §2 */
export async function refusedToClient(target: Target, url: string, errors: readonly string[]): Promise<void> {
  const to = await sentTo(url)
  if (!to?.href.startsWith(`${target.client.redirectUri}?`)) assert.fail(`sent to ${to?.href ?? 'nowhere'}`)
  assert.ok(errors.includes(to.searchParams.get('error') ?? ''), `told ${to.search}`)
  assert.deepEqual([to.searchParams.get('state'), to.searchParams.get('iss')], ['of-the-client', target.issuer])
  assert.equal(to.searchParams.get('code'), null)
}

/** The person is told, and the browser goes nowhere. @spec RFC 6749 §4.1.2.1 */
export async function refusedOnPage(url: string): Promise<void> {
  const response = await fetch(url, { redirect: 'manual' })
  assert.equal(response.headers.get('location'), null)
  assert.ok(response.status >= 400 && response.status < 500, `answered ${response.status}`)
}

export async function post(
  url: string,
  form: Parameters | URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const body = form instanceof URLSearchParams ? form : new URLSearchParams(given(form))
  const response = await fetch(url, { method: 'POST', body, headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: text.startsWith('{') ? JSON.parse(text) : {} }
}

export const basic = ({ id, secret }: { readonly id: string; readonly secret: string }): { readonly authorization: string } => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

export function refusedWith({ status, json }: Answered, errors: readonly string[]): void {
  assert.ok(status >= 400 && status < 500 && errors.includes(String(json['error'])), `answered ${status} ${JSON.stringify(json)}`)
  assert.equal(json['access_token'], undefined)
}

export async function aCode(target: Target): Promise<string> {
  const back = new URL(await target.signIn(authorizeUrl(target)))
  const code = back.searchParams.get('code')
  assert.ok(code, `came back with ${back.search}`)
  return code
}

export const codeForm = ({ client, resource }: Target, code: string, change: Parameters = {}): Parameters => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: client.redirectUri,
  client_id: client.id,
  code_verifier: proof.verifier,
  resource,
  ...change,
})

export type Tokens = { readonly accessToken: string; readonly refreshToken: string }
/** The payload of a JWT, unverified. */
export const claimsOf = (token: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))

export type FirstPage = { readonly url: string; readonly status: number; readonly text: string; readonly cookies: readonly string[] }

/** What a new browser is shown when it follows the redirects of the server itself, and no others. */
export async function firstPage({ issuer }: Target, url: string): Promise<FirstPage> {
  const cookies: string[] = []
  let at = url
  for (let hops = 0; hops < 5; hops++) {
    const cookie = cookies.map((one) => one.split(';')[0]).join('; ')
    const response = await fetch(at, { redirect: 'manual', headers: { cookie } })
    cookies.push(...response.headers.getSetCookie())
    const text = await response.text()
    const to = response.headers.get('location')
    if (to === null || new URL(to, at).origin !== new URL(issuer).origin) return { url: to ?? at, status: response.status, text, cookies }
    at = new URL(to, at).href
  }
  return assert.fail('it never shows a page')
}

/** The request is believed: a page of the server asks the person about it. */
export async function asksThePerson(target: Target, url: string): Promise<FirstPage> {
  const page = await firstPage(target, url)
  assert.ok(page.status === 200 && page.url.startsWith(target.issuer), `answered ${page.status} at ${page.url}`)
  return page
}

export async function someTokens(target: Target): Promise<Tokens> {
  const { status, json } = await post(`${target.issuer}/token`, codeForm(target, await aCode(target)))
  assert.equal(status, 200)
  return { accessToken: String(json['access_token']), refreshToken: String(json['refresh_token']) }
}

export async function isActive(target: Target, issuer: string, token: string): Promise<unknown> {
  const { status, json } = await post(`${issuer}/introspect`, { token }, basic(target.resourceCredential))
  assert.equal(status, 200)
  return json['active']
}

/** Every address of the simulator, in one list. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Company, findCompany, findPerson, type Person, peopleOf } from './companies.js'
import { type Desk, everyone, hintedPerson, oidcCompany, oidcIssuerAt, samlCompany, takeFaults } from './desk.js'
import { isFaultId } from './faults.js'
import { readForm, redirect, send, sendPage } from './http.js'
import { companyPage, homePage } from './pages/home.js'
import { postResponsePage, refusalPage, signInPage, submitScriptHash } from './pages/sign-in.js'
import { AuthnRequestRefused } from './saml/authn-request.js'
import { LogoutRefused } from './saml/logout.js'
import { provisionPerson, type ScimDialect, type ScimOutcome, scimDialects, setActive } from './scim-client.js'
import { eventTypes } from './ssf/streams.js'

type Exchange = {
  readonly desk: Desk
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** What the pattern's groups matched. */
  readonly parts: readonly string[]
}

type Route = {
  readonly method: 'GET' | 'POST'
  readonly path: RegExp
  readonly isCrossSite?: true
  readonly run: (exchange: Exchange) => Promise<void>
}

const routes: readonly Route[] = [
  { method: 'GET', path: /^\/$/, run: async ({ response }) => sendPage(response, 200, homePage(everyone)) },
  { method: 'GET', path: /^\/healthz$/, run: async ({ response }) => send(response, 200, 'text/plain', 'ok') },
  { method: 'GET', path: /^\/(acme|globex)$/, run: showCompany },
  { method: 'POST', path: /^\/(acme|globex)\/faults\/([a-z-]+)$/, run: armFault },
  { method: 'POST', path: /^\/(acme|globex)\/scim\/provision$/, run: provisionEveryone },
  { method: 'POST', path: /^\/(acme|globex)\/scim\/active$/, run: changeActive },
  { method: 'POST', path: /^\/(acme|globex)\/signal$/, run: sendSignal },
  { method: 'POST', path: /^\/globex\/logout$/, run: logOutAtOidc },
  { method: 'POST', path: /^\/acme\/tile$/, run: openSamlTile },
  { method: 'POST', path: /^\/globex\/tile$/, run: openOidcTile },
  { method: 'GET', path: /^\/acme\/metadata$/, run: serveMetadata },
  { method: 'GET', path: /^\/acme\/sso$/, run: async (exchange) => beginSaml(exchange, exchange.url.searchParams) },
  {
    method: 'POST',
    path: /^\/acme\/sso$/,
    isCrossSite: true,
    run: async (exchange) => beginSaml(exchange, await readForm(exchange.request)),
  },
  { method: 'POST', path: /^\/acme\/sign-out$/, run: signOutSaml },
  { method: 'GET', path: /^\/acme\/slo$/, run: async (exchange) => takeLogout(exchange, 'redirect', new URLSearchParams()) },
  {
    method: 'POST',
    path: /^\/acme\/slo$/,
    isCrossSite: true,
    run: async (exchange) => takeLogout(exchange, 'post', await readForm(exchange.request)),
  },
  { method: 'GET', path: /^\/acme\/sign-in\/([\w-]+)$/, run: askSaml },
  { method: 'POST', path: /^\/acme\/sign-in\/([\w-]+)$/, run: answerSaml },
  { method: 'GET', path: /^\/globex\/sign-in\/([\w-]+)$/, run: askOidc },
  { method: 'POST', path: /^\/globex\/sign-in\/([\w-]+)$/, run: answerOidc },
]

/** What belongs to oidc-provider. */
const providerPath =
  /^\/globex\/(\.well-known\/openid-configuration|auth|auth\/[\w-]+|token|me|jwks|session\/end|session\/end\/confirm|session\/end\/success)$/

/** Which groups somebody is in, as Microsoft Graph tells it. */
const graphPath = /^\/globex\/graph\//

/** Security events: the configuration document, and everything below `/<company>/ssf`. */
const configurationPath = /^\/\.well-known\/ssf-configuration\/(acme|globex)$/
const transmitterPath = /^\/(acme|globex)\/ssf(\/.+)$/

/** Answers one request. */
export async function answer(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', desk.publicUrl)
  for (const route of routes) {
    const match = route.path.exec(url.pathname)
    if (match === null || route.method !== request.method) continue
    if (route.method === 'POST' && route.isCrossSite === undefined && !isFromHere(desk, request))
      return sendPage(response, 403, refusalPage('Not from here', 'This form was sent from another site.'))
    return route.run({ desk, request, response, url, parts: match.slice(1) })
  }
  const configured = configurationPath.exec(url.pathname)
  if (configured !== null) return desk.transmitter(companyOf(configured.slice(1)).id).serve(request, response, '/configuration')
  const transmitted = transmitterPath.exec(url.pathname)
  if (transmitted !== null) return desk.transmitter(companyOf(transmitted.slice(1)).id).serve(request, response, transmitted[2] ?? '')
  if (graphPath.test(url.pathname)) return desk.graph.serve(request, response)
  if (providerPath.test(url.pathname)) return desk.oidc.serve(request, response)
  sendPage(response, 404, refusalPage('Not found', 'There is no such page in the simulator.'))
}

/** Browsers name the origin of every POST; scripts outside browsers need not. */
function isFromHere(desk: Desk, request: IncomingMessage): boolean {
  const { origin } = request.headers
  return origin === undefined || origin === new URL(desk.publicUrl).origin
}

async function showCompany({ desk, response, url, parts }: Exchange): Promise<void> {
  const company = companyOf(parts)
  const told = url.searchParams.get('told') ?? undefined
  const view = { company, people: peopleOf(company.id), cards: desk.faults.cards(company), addresses: addresses(desk, company), told }
  // As where somebody signs in: the tile's form is redirected to the relying party.
  sendPage(
    response,
    200,
    companyPage({
      ...view,
      signedIn: signedIn(desk, company),
      hasScim: desk.scimTarget(company.id) !== undefined,
      hasLogout: hasLogout(desk, company),
      signals: desk.transmitter(company.id).streams.all.size > 0 ? Object.keys(eventTypes) : [],
    }),
    '',
  )
}

function signedIn(desk: Desk, company: Company): readonly { readonly person: Person; readonly session: string }[] {
  if (company.id !== samlCompany.id) return []
  return desk.saml.logout.sessions().flatMap(({ personId, sessionIndex }) => {
    const person = findPerson(company.id, personId)
    return person === undefined ? [] : [{ person, session: sessionIndex }]
  })
}

const hasLogout = (desk: Desk, { id, protocol }: Company): boolean =>
  protocol === 'oidc' && desk.relyingParty(id).backchannelLogoutUri !== undefined

function addresses(desk: Desk, company: Company): readonly (readonly [string, string])[] {
  const party = desk.relyingParty(company.id)
  const own: readonly (readonly [string, string])[] =
    company.protocol === 'saml'
      ? [
          ['Metadata', desk.saml.addresses.entityId],
          ['Single sign-on', desk.saml.addresses.ssoUrl],
          ['Single logout', desk.saml.addresses.sloUrl],
        ]
      : [['Issuer', oidcIssuerAt(desk.publicUrl)]]
  const { issuer, bearerToken } = desk.transmitter(company.id)
  return [
    ...own,
    ['Security events (SSF)', issuer],
    ['Token for its streams', bearerToken],
    ...(party.issuer === undefined ? [] : [['Signs in to', party.issuer] as const]),
    ...(party.scimBaseUrl === undefined ? [] : [['SCIM', party.scimBaseUrl] as const]),
  ]
}

async function armFault({ desk, request, response, parts }: Exchange): Promise<void> {
  const company = companyOf(parts)
  const fault = parts[1] ?? ''
  const form = await readForm(request)
  if (!isFaultId(fault)) return sendPage(response, 404, refusalPage('No such card', `There is no fault card “${fault}”.`, company))
  if (form.get('armed') === 'false') {
    desk.faults.disarm(company, fault)
    return tell(response, company, `Taken back: ${fault}.`)
  }
  const isKnown = desk.faults.arm(company, fault)
  tell(response, company, isKnown ? `Armed for the next login: ${fault}.` : `${company.name}’s protocol has no fault “${fault}”.`)
}

async function provisionEveryone({ desk, response, parts }: Exchange): Promise<void> {
  const company = companyOf(parts)
  const target = desk.scimTarget(company.id)
  if (target === undefined) return tell(response, company, 'No SCIM service is configured.')
  const outcomes: string[] = []
  for (const person of peopleOf(company.id)) outcomes.push(sentence(await attempt(() => provisionPerson(target, person))))
  tell(response, company, outcomes.join(' '))
}

async function changeActive({ desk, request, response, parts }: Exchange): Promise<void> {
  const company = companyOf(parts)
  const form = await readForm(request)
  const person = findPerson(company.id, form.get('person') ?? '')
  const target = desk.scimTarget(company.id)
  if (person === undefined || target === undefined) return tell(response, company, 'No such person, or no SCIM service is configured.')
  tell(
    response,
    company,
    sentence(await attempt(() => setActive(target, person, form.get('active') === 'true', dialectOf(form.get('dialect'))))),
  )
}

/** The person is signed out at the company, and whoever let her in hears of it. */
async function logOutAtOidc({ desk, request, response }: Exchange): Promise<void> {
  const form = await readForm(request)
  const person = findPerson(oidcCompany.id, form.get('person') ?? '')
  const outcome = person && (await desk.oidc.logOut(person))
  if (outcome === undefined) return tell(response, oidcCompany, 'No such person, or no address for logout tokens is configured.')
  tell(response, oidcCompany, `Logged out: ${outcome.isDone ? outcome.said : `refused, ${outcome.said}`}.`)
}

/** What the company's IdP has found out about somebody goes to whoever has a stream here. */
async function sendSignal({ desk, request, response, parts }: Exchange): Promise<void> {
  const company = companyOf(parts)
  const form = await readForm(request)
  const person = findPerson(company.id, form.get('person') ?? '')
  const event = form.get('event') ?? ''
  const transmitter = desk.transmitter(company.id)
  const { all: streams } = transmitter.streams
  if (person === undefined || eventTypes[event] === undefined || streams.size === 0)
    return tell(response, company, 'No such person or event, or nobody has a stream here.')
  await transmitter.emit(event, person.id)
  tell(response, company, `Sent ${event} of ${person.givenName} to ${streams.size === 1 ? 'the stream' : `${streams.size} streams`}.`)
}

function dialectOf(value: string | null): ScimDialect {
  return scimDialects.find((dialect) => dialect === value) ?? 'okta'
}

async function attempt(call: () => Promise<ScimOutcome>): Promise<ScimOutcome> {
  try {
    return await call()
  } catch (error) {
    return { isDone: false, status: 0, said: error instanceof Error ? error.message : 'no answer' }
  }
}

function sentence(outcome: ScimOutcome): string {
  return outcome.isDone ? `SCIM ${outcome.status}: ${outcome.said}.` : `SCIM refused (${outcome.status}): ${outcome.said}.`
}

async function serveMetadata({ desk, response }: Exchange): Promise<void> {
  const xml = desk.saml.metadata(desk.faults.isArmed(samlCompany, 'expired-metadata'))
  send(response, 200, 'application/samlmetadata+xml; charset=utf-8', xml)
}

async function beginSaml(exchange: Exchange, parameters: URLSearchParams): Promise<void> {
  const { desk, response } = exchange
  try {
    const login = desk.saml.begin(parameters)
    const person = hintedPerson(desk, samlCompany, login.request.loginHint)
    if (person === undefined) return redirect(response, `/${samlCompany.id}/sign-in/${login.handle}`)
    postSaml(exchange, login.handle, person, login.asksForMfa)
  } catch (error) {
    if (!(error instanceof AuthnRequestRefused)) throw error
    sendPage(response, 400, refusalPage('Sign-in refused', error.message, samlCompany))
  }
}

async function askSaml(exchange: Exchange): Promise<void> {
  const { desk, response, url, parts } = exchange
  const login = desk.saml.find(parts[0] ?? '')
  if (login === undefined)
    return sendPage(response, 404, refusalPage('Login over', 'This login was answered already, or never begun.', samlCompany))
  ask(exchange, samlCompany, {
    action: url.pathname,
    askedBy: login.request.issuer,
    asksForMfa: login.asksForMfa,
    loginHint: login.request.loginHint,
  })
}

async function answerSaml(exchange: Exchange): Promise<void> {
  const form = await readForm(exchange.request)
  const person = findPerson(samlCompany.id, form.get('person') ?? '')
  if (person === undefined) return sendPage(exchange.response, 400, refusalPage('Nobody chosen', 'There is no such person.', samlCompany))
  postSaml(exchange, exchange.parts[0] ?? '', person, form.get('mfa') === 'yes')
}

function postSaml({ desk, response }: Exchange, handle: string, person: Person, withMfa: boolean): void {
  if (desk.saml.find(handle) === undefined)
    return sendPage(response, 404, refusalPage('Login over', 'This login was answered already, or never begun.', samlCompany))
  const posted = desk.saml.answer(handle, person, withMfa && person.hasMfa, takeFaults(desk, samlCompany))
  if (posted === undefined) return
  sendPage(response, 200, postResponsePage(posted.acsUrl, posted.samlResponse, posted.relayState), `; script-src ${submitScriptHash}`)
}

/** She signs out at the IdP, which takes the news to the service. */
async function signOutSaml({ desk, request, response }: Exchange): Promise<void> {
  const form = await readForm(request)
  await orRefuse(response, async () => redirect(response, await desk.saml.logout.signOut(form.get('session') ?? '')))
}

/** The service is back with its answer, or comes with a request of its own. */
async function takeLogout({ desk, response, url }: Exchange, binding: 'redirect' | 'post', form: URLSearchParams): Promise<void> {
  await orRefuse(response, async () => {
    const taken = await desk.saml.logout.take({ binding, rawQuery: url.search.slice(1), form })
    if ('url' in taken) return redirect(response, taken.url)
    tell(response, samlCompany, taken.told)
  })
}

async function orRefuse(response: ServerResponse, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof LogoutRefused)) throw error
    sendPage(response, 400, refusalPage('Sign-out refused', error.message, samlCompany))
  }
}

/** A click on a tile of the company portal: the response comes to a service that has not asked. */
async function openSamlTile({ desk, request, response }: Exchange): Promise<void> {
  const form = await readForm(request)
  const person = findPerson(samlCompany.id, form.get('person') ?? '')
  if (person === undefined) return sendPage(response, 400, refusalPage('Nobody chosen', 'There is no such person.', samlCompany))
  try {
    const posted = desk.saml.openTile(person, form.get('relayState') || undefined, takeFaults(desk, samlCompany))
    sendPage(response, 200, postResponsePage(posted.acsUrl, posted.samlResponse, posted.relayState), `; script-src ${submitScriptHash}`)
  } catch (error) {
    if (!(error instanceof AuthnRequestRefused)) throw error
    sendPage(response, 400, refusalPage('No such tile', error.message, samlCompany))
  }
}

/** @spec OIDC Core §4 */
async function openOidcTile({ desk, request, response }: Exchange): Promise<void> {
  const form = await readForm(request)
  const { initiateLoginUri } = desk.relyingParty(oidcCompany.id)
  if (initiateLoginUri === undefined)
    return sendPage(response, 400, refusalPage('No such tile', 'No address that begins a login is registered here.', oidcCompany))
  const person = findPerson(oidcCompany.id, form.get('person') ?? '')
  const target = form.get('relayState') || undefined
  const query = new URLSearchParams({
    iss: oidcIssuerAt(desk.publicUrl),
    ...(person && { login_hint: person.email }),
    ...(target !== undefined && { target_link_uri: target }),
  })
  redirect(response, `${initiateLoginUri}?${query}`)
}

async function askOidc(exchange: Exchange): Promise<void> {
  const { desk, request, response, url } = exchange
  const login = await desk.oidc.pendingLogin(request, response)
  const person = hintedPerson(desk, oidcCompany, login.loginHint)
  if (person !== undefined) return finishOidc(exchange, person, login.asksForMfa)
  ask(exchange, oidcCompany, { action: url.pathname, askedBy: login.clientId, asksForMfa: login.asksForMfa, loginHint: login.loginHint })
}

async function answerOidc(exchange: Exchange): Promise<void> {
  const form = await readForm(exchange.request)
  const person = findPerson(oidcCompany.id, form.get('person') ?? '')
  if (person === undefined) return sendPage(exchange.response, 400, refusalPage('Nobody chosen', 'There is no such person.', oidcCompany))
  await finishOidc(exchange, person, form.get('mfa') === 'yes')
}

async function finishOidc({ desk, request, response }: Exchange, person: Person, withMfa: boolean): Promise<void> {
  await desk.oidc.finishLogin(request, response, {
    person,
    withMfa: withMfa && person.hasMfa,
    faults: takeFaults(desk, oidcCompany),
  })
}

type Question = { readonly action: string; readonly askedBy: string; readonly asksForMfa: boolean; readonly loginHint: string | undefined }

/** No form-action here: browsers apply it to the redirects that follow the form too, and those lead to the relying party. */
function ask({ desk, response }: Exchange, company: Company, question: Question): void {
  const armed = desk.faults.cards(company).filter((card) => card.isArmed)
  sendPage(response, 200, signInPage({ company, people: peopleOf(company.id), armed, ...question }), '')
}

function companyOf(parts: readonly string[]): Company {
  const company = findCompany(parts[0] ?? '')
  if (company === undefined) throw new Error('the route matched no company')
  return company
}

function tell(response: ServerResponse, company: Company, told: string): void {
  redirect(response, `/${company.id}?told=${encodeURIComponent(told)}`)
}

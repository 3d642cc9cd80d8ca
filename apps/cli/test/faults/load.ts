/** People who sign in and refresh, an agent that acts for them, a directory and admins who take away and give back, and probers who ask about every token: all of it on the ledger. */

import type { Browser } from '@drawbridge/simulator/browser'
import { peopleOf } from '@drawbridge/simulator/companies'
import { patchActive, scimDialects } from '@drawbridge/simulator/scim-client'
import { type Attempt, anAttempt, logIn, redeem, registerAt } from '../a-client.js'
import { issuer, publicUrl } from '../a-production.js'
import type { Member, Receiver, ShakenFleet } from './a-shaken-fleet.js'
import type { Chance } from './chance.js'
import { handedBack } from './deliveries.js'
import { type Issue, type IssuerPath, issuerPaths, type Ledger, type LedgerEvent, type Span, type Verdict } from './ledger.js'
import { now } from './stop-watch.js'

/** Longer than this nobody waits for an answer. */
export const patienceMs = 4000
/** An IdP repeats what was not acknowledged. */
const mostTries = 6
const pauseMs = 250
const mostGrants = 3
const host = '127.0.0.1'

export type Answer = { readonly status: number; readonly json: Record<string, unknown> }
export type Ask = (url: string, init?: RequestInit) => Promise<Answer | undefined>
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Undefined: no answer, or none that says whether it was done. */
export const ask: Ask = async (url, init = {}) => {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) })
    const text = await response.text()
    if (response.status >= 500 || response.status === 429) return undefined
    return { status: response.status, json: text === '' ? {} : JSON.parse(text) }
  } catch {
    return undefined
  }
}

type Held = {
  readonly grant: string
  readonly issuerPath: IssuerPath
  readonly clientId: string
  readonly client: string
  readonly browser: Browser
  refreshToken: string
  latest: Issue
}
export type Person = {
  readonly name: string
  /** As her company calls her. */
  readonly id: string
  readonly scimId: string
  /** As the vendor knows her; known from her first token. */
  subject: string | undefined
  readonly held: Held[]
}
/** All that the actors share. `takeAway` sends what takes away: a planted fault replaces it. */
export type Load = { readonly fleet: ShakenFleet; readonly ledger: Ledger; readonly takeAway: Ask; readonly isOver: () => boolean }

/** Who is in the directory: all but whom the demonstration leaves out. */
export async function findPeople({ scimToken, brokersAt }: ShakenFleet): Promise<Person[]> {
  const people: Person[] = []
  for (const { id, name, email, groups } of peopleOf('acme')) {
    if (!groups?.includes('staff')) continue
    const found = await ask(`${brokersAt}/t/initech/scim/v2/Users?filter=${encodeURIComponent(`userName eq "${email}"`)}`, {
      headers: { authorization: `Bearer ${scimToken}` },
    })
    const [user] = (found?.json['Resources'] ?? []) as { id: string }[]
    if (user) people.push({ name, id, scimId: user.id, subject: undefined, held: [] })
  }
  return people
}

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string; gid: string; exp: number; iat: number }

type Given = Pick<Issue, 'sentAt' | 'token' | 'issuerPath'> & Partial<Pick<Issue, 'grant' | 'client' | 'how'>>

function enter({ ledger }: Load, person: Person, given: Given): Issue {
  const { sentAt, token } = given
  const answeredAt = now()
  const { sub, gid, exp, iat } = claimsOf(token)
  person.subject ??= sub
  // By the length of its life, not by its clock, which may be another; a little less, for what is under way.
  const issue = { grant: gid, ...given, answeredAt, subject: person.name, sub, expiresAt: sentAt + (exp - iat - 45) * 1000 }
  ledger.issues.push(issue)
  return issue
}

/** A person goes through several pages; she, too, gives up at some time. */
const inTime = <T>(visit: Promise<T>): Promise<T> =>
  Promise.race([visit, sleep(4 * patienceMs).then(() => Promise.reject<T>(new Error('too slow')))])

let registered = 0

/** From nothing to a token. False: it did not work out, which is nobody's fault in such weather. */
export async function signIn(load: Load, person: Person, issuerPath: IssuerPath): Promise<Issue | undefined> {
  const { fleet } = load
  const at = `${fleet.brokersAt}${issuerPath}`
  try {
    const client = `${person.name}-${(registered += 1)}`
    const clientId = await registerAt(at, {
      backchannel_logout_uri: `${fleet.outside.origin}/clients/${client}`,
    })
    const change = issuerPath === '' ? { login_hint: 'initech' } : {}
    const attempt: Attempt = anAttempt({ issuer: `${publicUrl}${issuerPath}`, clientId, resource: fleet.resource, change })
    const browser = fleet.browser()
    const { page } = await inTime(logIn(attempt, { name: person.name }, browser))
    const sentAt = now()
    const { status, json } = await redeem(attempt, page, at)
    if (status !== 200) return undefined
    const issue = enter(load, person, { sentAt, token: String(json['access_token']), issuerPath, client })
    person.held.push({
      ...{ grant: issue.grant, issuerPath, clientId, client, browser },
      refreshToken: String(json['refresh_token']),
      latest: issue,
    })
    return issue
  } catch {
    return undefined
  }
}

async function refresh(load: Load, person: Person, held: Held): Promise<void> {
  const sentAt = now()
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: held.refreshToken, client_id: held.clientId })
  const { issuerPath, client } = held
  const answer = await ask(`${load.fleet.brokersAt}${issuerPath}/token`, { method: 'POST', body })
  if (answer?.status === 200) {
    held.latest = enter(load, person, { sentAt, token: String(answer.json['access_token']), issuerPath, client })
    held.refreshToken = String(answer.json['refresh_token'])
    return
  }
  drop(person, held)
  if (answer === undefined) load.ledger.doubtful.add(held.grant)
  else if (answer.json['error'] === 'invalid_grant')
    load.ledger.probes.push({ at: 'a refresh', issue: held.latest, sentAt, answeredAt: now(), said: 'dead' })
}

const drop = (person: Person, held: Held): void => {
  if (person.held.includes(held)) person.held.splice(person.held.indexOf(held), 1)
}

/** The agent has a token instead of hers, which ends with hers. */
async function exchange(load: Load, person: Person, { grant, latest }: Held): Promise<void> {
  if (latest.issuerPath !== '') await askAsAgent(load, person, load.fleet.agent.toExchange(latest.token), { how: 'exchanged', grant })
}

/** The agent says who she is, by a word that was signed now. */
const bring = async (load: Load, person: Person): Promise<void> =>
  askAsAgent(load, person, await load.fleet.agent.toBring(person.id), { how: 'brought' })

async function askAsAgent(load: Load, person: Person, body: URLSearchParams, of: Pick<Given, 'how' | 'grant'>): Promise<void> {
  const { fleet } = load
  const sentAt = now()
  const answer = await ask(`${fleet.brokersAt}/t/initech/token`, { method: 'POST', body, headers: fleet.agent.headers })
  if (answer?.status === 200) enter(load, person, { sentAt, token: String(answer.json['access_token']), issuerPath: '/t/initech', ...of })
}

/** In good weather: a token of each kind for her. False: one of them is refused, and the run would prove nothing of it. */
export async function beginWith(load: Load, person: Person): Promise<boolean> {
  for (const issuerPath of issuerPaths) await signIn(load, person, issuerPath)
  for (const held of person.held) await exchange(load, person, held)
  await bring(load, person)
  const hers = load.ledger.issues.filter(({ subject }) => subject === person.name)
  return new Set(hers.map(({ how, issuerPath }) => how ?? issuerPath)).size === issuerPaths.length + 2
}

/** Sends it until it is acknowledged; each try is an event of its own. Sometimes twice at once, as networks and IdPs do. */
async function tell(
  load: Load,
  chance: Chance,
  event: LedgerWithoutSpan,
  send: (ask: Ask) => Promise<Answer | undefined>,
): Promise<boolean> {
  const { ledger, takeAway } = load
  const once = async (): Promise<boolean> => {
    const span: { -readonly [Key in keyof Span]: Span[Key] } = { sentAt: now(), answeredAt: undefined }
    const entry = Object.assign(span, event) as LedgerEvent
    ledger.events.push(entry)
    const answer = await send(event.effect === 'takes' ? takeAway : ask)
    if (answer === undefined || answer.status >= 300) return false
    span.answeredAt = now()
    return true
  }
  for (let tries = 0; tries < mostTries && !load.isOver(); tries += 1) {
    const answers = await Promise.all(chance.isOnce(5) ? [once(), once()] : [once()])
    if (answers.includes(true)) return true
    await sleep(pauseMs)
  }
  return false
}
type LedgerWithoutSpan = LedgerEvent extends infer Each ? (Each extends Span ? Omit<Each, 'sentAt' | 'answeredAt'> : never) : never

const scim =
  ({ fleet }: Load, person: Person, active: boolean, chance: Chance) =>
  (send: Ask) =>
    send(`${fleet.brokersAt}/t/initech/scim/v2/Users/${person.scimId}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${fleet.scimToken}`, 'content-type': 'application/scim+json' },
      body: JSON.stringify(patchActive(active, chance.one(scimDialects))),
    })
const byAdmin =
  ({ fleet }: Load, path: string) =>
  (send: Ask) =>
    send(`${fleet.brokersAt}/admin/v1/tenants/initech/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test' }),
    })

/** Deactivates her by one of two ways, and later lets her in again by the same, and by the other where that is needed. */
async function shutOut(load: Load, chance: Chance, person: Person): Promise<void> {
  const subject = person.name
  const isByDirectory = person.subject === undefined || chance.isOnce(2)
  const way = isByDirectory ? 'the directory' : 'an admin'
  const send = isByDirectory ? scim(load, person, false, chance) : byAdmin(load, `subjects/${person.subject}/kill`)
  await tell(load, chance, { effect: 'takes', way, subject }, send)
  const [late] = person.held.splice(0)
  await sleep(chance.between(0, 1500))
  // What must not work: the judge knows.
  if (late) await exchange(load, person, late)
  await bring(load, person)
}

export async function letIn(load: Load, chance: Chance, person: Person): Promise<void> {
  const subject = person.name
  await tell(load, chance, { effect: 'gives', way: 'the directory', subject }, scim(load, person, true, chance))
  if (person.subject)
    await tell(load, chance, { effect: 'gives', way: 'an admin', subject }, byAdmin(load, `subjects/${person.subject}/reinstate`))
}

/** The end of a session: in the browser that it was opened in, with everything that was granted from it. */
async function signOut(browser: Browser): Promise<Answer | undefined> {
  try {
    const asked = await inTime(browser.open(`${issuer}/logout`))
    const done = asked.forms.length > 0 ? await inTime(asked.form().submit()) : asked
    return done.status === 200 && new URL(done.url).pathname.endsWith('/logout/done') ? { status: 200, json: {} } : undefined
  } catch {
    return undefined
  }
}

async function endOne(load: Load, chance: Chance, person: Person, held: Held): Promise<void> {
  const event = { effect: 'takes', subject: person.name, grant: held.grant } as const
  drop(person, held)
  const way = chance.next()
  if (way < 0.3) await tell(load, chance, { ...event, way: 'her sign-out' }, () => signOut(held.browser))
  else if (way < 0.65) await tell(load, chance, { ...event, way: 'an admin, one grant' }, byAdmin(load, `grants/${held.grant}/revoke`))
  else await handBack(load, chance, event, held)
  if (chance.isOnce(3)) await exchange(load, person, held)
}

async function handBack(
  load: Load,
  chance: Chance,
  event: Omit<LedgerWithoutSpan, 'way'> & { readonly effect: 'takes' },
  held: Held,
): Promise<void> {
  const { fleet } = load
  const body = new URLSearchParams({ token: held.refreshToken, client_id: held.clientId })
  const send = (by: Ask) => by(`${fleet.brokersAt}${held.issuerPath}/revoke`, { method: 'POST', body })
  await tell(load, chance, { ...event, way: handedBack }, send)
}

/** What happens to one person. */
export async function live(load: Load, chance: Chance, person: Person): Promise<void> {
  while (!load.isOver()) {
    const draw = chance.next()
    const held = person.held.length > 0 ? chance.one(person.held) : undefined
    if (held === undefined || (draw < 0.25 && person.held.length < mostGrants)) {
      if ((await signIn(load, person, chance.one(issuerPaths))) === undefined && chance.isOnce(2)) await letIn(load, chance, person)
    } else if (draw < 0.5) await refresh(load, person, held)
    else if (draw < 0.6) await (chance.isOnce(2) ? exchange(load, person, held) : bring(load, person))
    else if (draw < 0.8) await endOne(load, chance, person, held)
    else {
      await shutOut(load, chance, person)
      await letIn(load, chance, person)
    }
    await sleep(chance.between(20, 300))
  }
}

export async function introspect({ fleet, ledger }: Load, issue: Issue, broker: Member): Promise<Verdict> {
  const { id, secret } = fleet.credential
  const sentAt = now()
  const answer = await ask(`http://${host}:${broker.port}${issue.issuerPath}/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ token: issue.token }),
  })
  const said = answer?.status !== 200 ? 'unsure' : answer.json['active'] === true ? 'active' : 'dead'
  ledger.probes.push({ at: broker.name, issue, sentAt, answeredAt: now(), said })
  return said
}

export async function callReceiver({ ledger }: Load, issue: Issue, receiver: Receiver): Promise<Verdict> {
  const sentAt = now()
  const judged = await receiver.guard().check(`Bearer ${issue.token}`, ['documents:read'])
  const said = judged.ok ? 'active' : judged.error.status === 401 ? 'dead' : 'unsure'
  ledger.probes.push({ at: receiver.name, issue, sentAt, answeredAt: now(), said })
  return said
}

/** Asks about tokens, rather about late ones: at a broker, and at every receiver. */
export async function probe(load: Load, chance: Chance): Promise<void> {
  const { fleet, ledger } = load
  while (!load.isOver()) {
    const near = Math.max(0, ledger.issues.length - 30)
    const issue = ledger.issues[Math.floor(chance.between(chance.isOnce(4) ? 0 : near, ledger.issues.length))]
    if (issue !== undefined && now() < issue.expiresAt) {
      await introspect(load, issue, chance.one(fleet.brokers))
      for (const receiver of fleet.receivers) await callReceiver(load, issue, receiver)
    }
    await sleep(chance.between(5, 40))
  }
}

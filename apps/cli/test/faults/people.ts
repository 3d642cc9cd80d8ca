/** People of a company who sign in and refresh, and an agent that acts for them: every token that comes back is on the ledger. */
import { peopleOf } from '@drawbridge/simulator/companies'
import { type Attempt, anAttempt, logIn, redeem, registerAt } from '../a-client.js'
import { publicUrl } from '../a-production.js'
import type { ShakenFleet } from './a-shaken-fleet.js'
import { drop, type Held, inTime, type Load, type Person } from './actors.js'
import { ask } from './ask.js'
import type { Company } from './companies.js'
import type { Issue, IssuerPath } from './ledger.js'
import { now } from './stop-watch.js'

/** Who is in the directory, as many as are in the load. */
export async function findPeople({ brokersAt }: ShakenFleet, { slug, scimToken, staff }: Company): Promise<Person[]> {
  const people: Person[] = []
  const cast = peopleOf('acme').filter(({ groups }) => groups?.includes('staff'))
  for (const { id, name, email } of cast.slice(0, staff)) {
    const found = await ask(`${brokersAt}/t/${slug}/scim/v2/Users?filter=${encodeURIComponent(`userName eq "${email}"`)}`, {
      headers: { authorization: `Bearer ${scimToken}` },
    })
    const [user] = (found?.json['Resources'] ?? []) as { id: string }[]
    if (user) people.push({ name, id, scimId: user.id, subject: undefined, trouble: '', held: [] })
  }
  if (people.length < staff) throw new Error(`the directory of ${slug} has ${people.length} of ${staff} people`)
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
  const grant = given.grant ?? gid
  const first = ledger.issues.find((earlier) => earlier.grant === grant)
  // By the length of its life, not by its clock, which may be another; a little less, for what is under way.
  const expiresAt = sentAt + (exp - iat - 45) * 1000
  const issue = { ...given, grant, answeredAt, grantSince: first?.grantSince ?? answeredAt, subject: person.name, sub, expiresAt }
  ledger.issues.push(issue)
  return issue
}

let registered = 0

/** From nothing to a token. Undefined: it did not work out, which is nobody's fault in such weather. */
export async function signIn(load: Load, person: Person, issuerPath: IssuerPath): Promise<Issue | undefined> {
  const { fleet, company } = load
  const at = `${fleet.brokersAt}${issuerPath}`
  try {
    const client = `${person.name}-${(registered += 1)}`
    const clientId = await inTime(registerAt(at, { backchannel_logout_uri: `${company.toldAt}/clients/${client}` }))
    const change = issuerPath === '' ? { login_hint: company.slug } : {}
    const attempt: Attempt = anAttempt({ issuer: `${publicUrl}${issuerPath}`, clientId, resource: company.resource, change })
    const browser = company.browser()
    const { page } = await inTime(logIn(attempt, { name: person.name }, browser))
    const sentAt = now()
    const { status, json } = await inTime(redeem(attempt, page, at))
    if (status !== 200) return failed(person, `a code of ${page.url} was answered ${status} ${JSON.stringify(json)}`)
    const issue = enter(load, person, { sentAt, token: String(json['access_token']), issuerPath, client })
    person.held.push({
      ...{ grant: issue.grant, issuerPath, clientId, client, browser },
      refreshToken: String(json['refresh_token']),
      latest: issue,
    })
    return issue
  } catch (error) {
    return failed(person, String(error))
  }
}

function failed(person: Person, why: string): undefined {
  person.trouble = why
}

export async function refresh(load: Load, person: Person, held: Held): Promise<void> {
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

/** The agent has a token instead of hers, which ends with hers. */
export async function exchange(load: Load, person: Person, { grant, latest }: Held): Promise<void> {
  if (latest.issuerPath !== '') await askAsAgent(load, person, load.company.agent.toExchange(latest.token), { how: 'exchanged', grant })
}

/** The agent says who she is, by a word that was signed now. */
export const bring = async (load: Load, person: Person): Promise<void> =>
  askAsAgent(load, person, await load.company.agent.toBring(person.id), { how: 'brought' })

async function askAsAgent(load: Load, person: Person, body: URLSearchParams, of: Pick<Given, 'how' | 'grant'>): Promise<void> {
  const { fleet, company } = load
  const [issuerPath] = company.issuerPaths
  const sentAt = now()
  const answer = await ask(`${fleet.brokersAt}${issuerPath}/token`, { method: 'POST', body, headers: company.agent.headers })
  if (answer?.status === 200) enter(load, person, { sentAt, token: String(answer.json['access_token']), issuerPath, ...of })
}

/** In good weather: a token of each kind for her. False: one of them is refused, and the run would prove nothing of it. */
export async function beginWith(load: Load, person: Person): Promise<boolean> {
  const { issuerPaths } = load.company
  for (const issuerPath of issuerPaths) await signIn(load, person, issuerPath)
  for (const held of person.held) await exchange(load, person, held)
  await bring(load, person)
  const hers = load.ledger.issues.filter(({ subject }) => subject === person.name)
  return new Set(hers.map(({ how, issuerPath }) => how ?? issuerPath)).size === issuerPaths.length + 2
}

/** What takes away and what gives back: the directory, admins, clients and people themselves, each told until it is acknowledged, and on the ledger. */
import type { Browser } from '@drawbridge/simulator/browser'
import { patchActive, scimDialects } from '@drawbridge/simulator/scim-client'
import { publicUrl } from '../a-production.js'
import { type Answer, type Ask, ask, drop, type Held, inTime, type Load, type Person, sleep } from './actors.js'
import type { Chance } from './chance.js'
import { handedBack } from './deliveries.js'
import type { LedgerEvent, Span } from './ledger.js'
import { bring, exchange } from './people.js'
import { now } from './stop-watch.js'

/** An IdP repeats what was not acknowledged. */
const mostTries = 6
const pauseMs = 250

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
  ({ fleet, company: { slug, scimToken } }: Load, person: Person, active: boolean, chance: Chance) =>
  (send: Ask) =>
    send(`${fleet.brokersAt}/t/${slug}/scim/v2/Users/${person.scimId}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${scimToken}`, 'content-type': 'application/scim+json' },
      body: JSON.stringify(patchActive(active, chance.one(scimDialects))),
    })
const byAdmin =
  ({ fleet, company }: Load, path: string) =>
  (send: Ask) =>
    send(`${fleet.brokersAt}/admin/v1/tenants/${company.slug}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test' }),
    })

/** Deactivates her by one of two ways, and later lets her in again by the same, and by the other where that is needed. */
export async function shutOut(load: Load, chance: Chance, person: Person): Promise<void> {
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
async function signOut(issuerPath: string, browser: Browser): Promise<Answer | undefined> {
  try {
    const asked = await inTime(browser.open(`${publicUrl}${issuerPath}/logout`))
    const done = asked.forms.length > 0 ? await inTime(asked.form().submit()) : asked
    return done.status === 200 && new URL(done.url).pathname.endsWith('/logout/done') ? { status: 200, json: {} } : undefined
  } catch {
    return undefined
  }
}

export async function endOne(load: Load, chance: Chance, person: Person, held: Held): Promise<void> {
  const event = { effect: 'takes', subject: person.name, grant: held.grant } as const
  drop(person, held)
  const way = chance.next()
  if (way < 0.3) await tell(load, chance, { ...event, way: 'her sign-out' }, () => signOut(load.company.issuerPaths[0], held.browser))
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

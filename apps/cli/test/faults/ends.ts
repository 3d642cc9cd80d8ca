/** What takes away and what gives back: the directory, admins, signals, clients and people themselves, each told until it is acknowledged, and on the ledger. */
import type { Browser } from '@drawbridge/simulator/browser'
import { publicUrl } from '../a-production.js'
import { drop, type Held, inTime, type Load, type Person } from './actors.js'
import { type Answer, ask, type Said, sleep } from './ask.js'
import type { Chance } from './chance.js'
import { handedBack, signedOut } from './deliveries.js'
import { admin, directory } from './ledger.js'
import { scim } from './overtake.js'
import { bring, exchange, refresh } from './people.js'
import { tell, type Unsent } from './tell.js'
import { signalEvents } from './transmitter.js'

/** Each time a demand of its own. */
const byAdmin = ({ fleet, company }: Load, path: string): Said => ({
  send: (by, at) =>
    by(`${at}/admin/v1/tenants/${company.slug}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test' }),
    }),
})

type Way = Pick<Unsent, 'way'> & { readonly staysIn?: true; readonly say: () => Said | Promise<Said> }

/** How a whole person loses everything. What a transmitter pushes is the same until it is acknowledged; an IdP signs each of its demands anew. */
async function drawWay(load: Load, chance: Chance, person: Person): Promise<Way> {
  const { transmitter } = load.company
  const { sessionRevoked, accountDisabled } = signalEvents
  const draw = chance.next()
  if (person.subject === undefined || draw < 0.25) {
    const said = scim(load, person, false, chance)
    return { way: directory, say: () => said }
  }
  if (draw < 0.45) return { way: admin, say: () => byAdmin(load, `subjects/${person.subject}/kill`) }
  if (draw < 0.6) return { way: 'a Global Token Revocation', staysIn: true, say: () => transmitter.toRevoke(person.id) }
  const isOut = draw < 0.8
  const [type, way] = isOut ? [accountDisabled, 'account-disabled'] : [sessionRevoked, 'session-revoked']
  // A planted fault stands where something is sent.
  const isFetched = load.takeAway === ask && chance.isOnce(3)
  const said = await (isFetched ? transmitter.toOffer(type, person.id) : transmitter.toPush(type, person.id))
  return { way: isFetched ? `${way}, fetched` : way, ...(isOut ? {} : { staysIn: true }), say: () => said }
}

/** In good weather a worker fetches a signal and says that it has it; what she held is over with it. */
export async function endByFetch(load: Load, chance: Chance, person: Person): Promise<boolean> {
  const said = await load.company.transmitter.toOffer(signalEvents.sessionRevoked, person.id)
  person.held.splice(0)
  return tell(load, chance, { effect: 'takes', way: 'session-revoked, fetched', subject: person.name, staysIn: true }, () => said)
}

/** Takes everything from her; where that also keeps her out she is let in again afterwards (`letIn`). True: she is out. */
export async function endAll(load: Load, chance: Chance, person: Person): Promise<boolean> {
  const { say, ...way } = await drawWay(load, chance, person)
  const racing = person.held.length > 0 && chance.isOnce(3) ? chance.one(person.held) : undefined
  // Whoever refreshes at the same moment wins or loses; what she wins is of a grant that is dead.
  await Promise.all([tell(load, chance, { effect: 'takes', subject: person.name, ...way }, say), racing && refresh(load, person, racing)])
  const [late] = person.held.splice(0)
  await sleep(chance.between(0, 1500))
  // What must not work: the judge knows.
  if (late) await exchange(load, person, late)
  await bring(load, person)
  return way.staysIn !== true
}

export async function letIn(load: Load, chance: Chance, person: Person): Promise<void> {
  const gives = { effect: 'gives', subject: person.name } as const
  const said = scim(load, person, true, chance)
  await tell(load, chance, { ...gives, way: directory }, () => said)
  if (person.subject) await tell(load, chance, { ...gives, way: admin }, () => byAdmin(load, `subjects/${person.subject}/reinstate`))
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
  if (way < 0.3)
    await tell(load, chance, { ...event, way: signedOut }, () => ({ send: () => signOut(load.company.issuerPaths[0], held.browser) }))
  else if (way < 0.65)
    await tell(load, chance, { ...event, way: 'an admin, one grant' }, () => byAdmin(load, `grants/${held.grant}/revoke`))
  else await tell(load, chance, { ...event, way: handedBack }, () => handBack(held))
  if (chance.isOnce(3)) await exchange(load, person, held)
}

const handBack = ({ refreshToken, clientId, issuerPath }: Held): Said => ({
  send: (by, at) =>
    by(`${at}${issuerPath}/revoke`, { method: 'POST', body: new URLSearchParams({ token: refreshToken, client_id: clientId }) }),
})

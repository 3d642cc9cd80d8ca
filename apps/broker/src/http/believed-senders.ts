/**
 * From which addresses signals of a connection were believed lately: logouts, security events, revocations that its IdP signed. What comes from there for that
 * connection counts by itself, and no longer under what the address may send. Many companies share an IdP, and it calls for all of them from few addresses:
 * whoever has it call without end would keep their logouts out, which an IdP says once.
 *
 * It decides under what a call is counted, and nothing else: each signal is verified as every other. A mark costs a signal that is believed, so nobody has one at a
 * connection of somebody else's; and of each connection only a few addresses are held, so nobody crowds out those of others.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Database } from '@drawbridge/store/database'
import type { BrokerDeps } from '../deps.js'
import { limitKey } from './client-address.js'
import type { EndpointDefinition, HttpRequest } from './endpoint.js'
import { createLatestUsed, type LatestUsed } from './latest-used.js'

/** The IdP of a small company has nothing to say for days. */
export const believedForSeconds = 7 * 86_400
/** The longest unused goes first, and then counts under its address until it is believed again. */
export const mostBelievedConnections = 10_000
/** A cloud IdP calls from a handful. */
export const mostAddressesOfConnection = 32

export type Sender = Pick<HttpRequest, 'params' | 'address'>

type UntilByAddress = ReadonlyMap<string, Instant>
const byDatabase = new WeakMap<Database, LatestUsed<string, UntilByAddress>>()

function sendersOf(database: Database): LatestUsed<string, UntilByAddress> {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const made = createLatestUsed<string, UntilByAddress>({ most: mostBelievedConnections, weight: mostBelievedConnections })
  byDatabase.set(database, made)
  return made
}

const connectionOf = ({ params }: Sender): string => `${params['tenant'] ?? ''} ${params['connection'] ?? ''}`

/** A signal of the connection that the path names has just been believed. One that came before proves nothing of who brings it again. */
export function noteBelieved({ database, clock }: BrokerDeps, sender: Sender): void {
  const senders = sendersOf(database)
  const [connection, address] = [connectionOf(sender), limitKey(sender.address)]
  const others = [...(senders.get(connection) ?? [])].filter(([each]) => each !== address)
  const kept = others.slice(Math.max(0, others.length + 1 - mostAddressesOfConnection))
  senders.set(connection, new Map([...kept, [address, addSeconds(clock.now(), believedForSeconds)]]), 1)
}

export function isBelievedLately({ database, clock }: BrokerDeps, sender: Sender): boolean {
  const until = sendersOf(database).get(connectionOf(sender))?.get(limitKey(sender.address))
  return until !== undefined && clock.now() < until
}

/** Endpoints at which the IdP of the connection in the path says by itself that something has ended. */
export const ofSenders = {
  rateLimit: 'signal',
  sparesAddress: (caller: Sender, deps: BrokerDeps) => isBelievedLately(deps, caller),
  sparedLimit: { limit: 'signal_believed', of: (caller: Sender) => `${connectionOf(caller)} ${limitKey(caller.address)}` },
} as const satisfies Partial<EndpointDefinition<never, never>>

/**
 * What every request of a client goes through: prove the client from memory, let it act under the version that was proven, and do both
 * again when the statement finds another version in the database.
 */
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { err, type Result } from '@drawbridge/core/result'
import type { BrokerDeps } from '../deps.js'
import { authenticateClient, type ClientClaim } from './client-authentication.js'

/** Another process may change the client again while it proves itself; after this many rounds it may try again. */
const mostRounds = 3

/** What acting for a client comes to; `client_changed` means that nothing was done because it is no longer what it was proven as. */
export type Acted<T> = Result<T, JsonRefusal> | 'client_changed'

/** Lets a client act that proves itself. `act` runs again, with the client as it is now, after it has answered `client_changed`. */
export async function asProvenClient<T>(
  deps: BrokerDeps,
  claim: ClientClaim,
  act: (client: ProvenClient) => Promise<Acted<T>>,
): Promise<Result<T, JsonRefusal>> {
  for (let round = 0; round < mostRounds; round += 1) {
    const client = await authenticateClient(deps, claim, round === 0 ? 'memory' : 'database')
    if (!client.ok) return client
    const acted = await act(client.value)
    if (acted !== 'client_changed') return acted
  }
  return err({ reason: 'decision_unsettled' })
}

/**
 * Whatever is answered without a statement that guards by the client's version goes through here: it stands only if the client is still
 * the one that was proven. Otherwise somebody who was blocked would be told about scopes, or be refused what was allowed a moment ago.
 */
export async function ifUnchanged<T>(deps: BrokerDeps, client: ProvenClient, answer: Result<T, JsonRefusal>): Promise<Acted<T>> {
  const present = await deps.clients.read(client)
  return present?.version === client.version ? answer : 'client_changed'
}

/** The client as the statements want it named. */
export const callerOf = (client: ProvenClient): Caller => ({
  issuerId: client.issuerId,
  clientId: client.id,
  clientVersion: client.version,
})

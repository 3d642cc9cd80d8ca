/** Who acts for a person by a token that was exchanged, and what such a token hangs on. RFC 8693 §4.1 */
import type { ClientId, GrantId } from '../tenant/ids.js'
import { machineSubject, type NamedAt } from './machine-subject.js'

/** A grant that another one was opened from by an exchange, as it was then. */
export type Ancestor = {
  readonly grantId: GrantId
  readonly clientId: ClientId
  readonly grantEpoch: number
  readonly clientEpoch: number
}

/** `act`: who acts, and within it who acted before. The client that the person herself gave access to is none of them. */
export type Actor = { readonly sub: string; readonly act?: Actor }

/**
 * Builds `act` of a grant of this client. `ancestors`: the nearest first.
 *
 * @spec RFC 8693 §4.1 the outermost is the present actor
 */
export function buildActor(client: ClientId, ancestors: readonly Pick<Ancestor, 'clientId'>[], at: NamedAt): Actor {
  const before = ancestors.slice(0, -1).map(({ clientId }) => machineSubject(clientId, at))
  const act = before.reduceRight<Actor | undefined>((inner, sub) => actor(sub, inner), undefined)
  return actor(machineSubject(client, at), act)
}

const actor = (sub: string, act: Actor | undefined): Actor => (act === undefined ? { sub } : { sub, act })

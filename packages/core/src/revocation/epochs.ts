/**
 * The barrier: counters that only grow. Whatever was made under a lower number is dead for ever, whatever any clock says.
 *
 * A grant stores the epochs it was opened under and a JWT carries them in the claim `epochs`, exactly as the issuing statement
 * returned them. 0 stands for "has none" (client_credentials has neither connection nor subject).
 */
import { err, ok, type Result } from '../result.js'

export type Epochs = {
  readonly tenant: number
  readonly client: number
  readonly connection: number
  readonly subject: number
  readonly grant: number
}

/** The compact claim: `tenant.client.connection.subject.grant`. */
export const formatEpochs = (epochs: Epochs): string =>
  `${epochs.tenant}.${epochs.client}.${epochs.connection}.${epochs.subject}.${epochs.grant}`

const compact = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/

export function parseEpochs(claim: unknown): Result<Epochs, 'epochs_malformed'> {
  const match = typeof claim === 'string' ? compact.exec(claim) : null
  if (!match) return err('epochs_malformed')
  const [tenant, client, connection, subject, grant] = match.slice(1).map(Number) as [number, number, number, number, number]
  return ok({ tenant, client, connection, subject, grant })
}

/** Says whether something made under `made` is dead now that the counters stand at `current`. */
export const isBelowBarrier = (made: Epochs, current: Epochs): boolean =>
  made.tenant < current.tenant ||
  made.client < current.client ||
  made.connection < current.connection ||
  made.subject < current.subject ||
  made.grant < current.grant

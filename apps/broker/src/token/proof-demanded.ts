/**
 * Whether a proof of a key is demanded is asked of the rules of the moment, which the statement knows, and of no memory of a process: what comes without one
 * is judged all the same, and uses nothing up.
 */
import { findMissingProof } from '../clients/dpop.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ExchangeContext } from './exchange.js'

/** No configuration has this version: by none was a proof of a key not needed. */
const noVersion = 0

/**
 * The version of the configuration by which this request may get something, as this process remembers the rules: the statement holds it against that of the
 * moment, changes nothing under another, and says which that is. Then ask `findMissingProof` of it.
 */
export const versionGoneBy = (context: ExchangeContext, tenant: ResolvedTenant): number =>
  findMissingProof(context, tenant) ? noVersion : tenant.configurationVersion

/**
 * Connections of a public installation that lead to this machine, told at the start of a broker.
 *
 * None is written any more, and one that is there admits nobody; so the start goes on: one tenant's row ends no process that serves all of
 * them. Whoever moved a database here, or mended a row by hand, hears of it before the people of that tenant do.
 */
import { listDoubtfulUpstreamsAcrossTenants } from '@drawbridge/store/connections'
import { isPublic, leadsToThisMachine } from '@drawbridge/upstream/public-addresses'
import type { Platform } from './platform.js'

export async function tellOfThisMachine({ settings, database, log }: Pick<Platform, 'settings' | 'database' | 'log'>): Promise<void> {
  if (!isPublic(settings.publicUrl)) return
  for (const { tenantId, id, name, url } of await listDoubtfulUpstreamsAcrossTenants(database))
    if (leadsToThisMachine(url))
      log.error({ tenantId, connectionId: id, name, origin: new URL(url).origin }, 'a connection leads to this machine, and admits nobody')
}

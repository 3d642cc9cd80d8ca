/** A client that an admin of the tenant has to approve first: the person reads whom to ask and for what, and the admin finds it among those that wait. */
import type { Client } from '@drawbridge/core/oauth/client'
import { noteClientAsked } from '../clients/note-client-asked.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { unapprovedPage } from './pages.js'

/** Of a client as the database has it now: one that this process remembers may have been approved since. */
export async function refuseUnapproved(deps: BrokerDeps, tenant: ResolvedTenant, client: Client): Promise<Answer> {
  await noteClientAsked(deps, client)
  return unapprovedPage(tenant, client)
}

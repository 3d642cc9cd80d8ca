/** Where a browser is led after a sign-out: judged by the client as it is at that moment, so that one which was blocked meanwhile leads nowhere. */
import { returnOfSignOut, type SignOutRequest } from '@drawbridge/core/logout/sign-out-request'
import { mayBeSentToUnasked } from '@drawbridge/core/oauth/client'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { presentAt } from '../http/present-connection.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** What was asked for, and is judged anew at each use. */
export const askedReturnShape = z.strictObject({
  clientId: z.string(),
  postLogoutRedirectUri: z.string(),
  state: z.string().optional(),
})
export type AskedReturn = z.infer<typeof askedReturnShape>

export const askedReturnOf = (
  clientId: string | undefined,
  { postLogoutRedirectUri, state }: Pick<SignOutRequest, 'postLogoutRedirectUri' | 'state'>,
): AskedReturn | undefined =>
  clientId === undefined || postLogoutRedirectUri === undefined
    ? undefined
    : { clientId, postLogoutRedirectUri, ...(state !== undefined && { state }) }

/** `unasked`: the browser may go there though the person was shown nothing. */
export type Returning = { readonly url: string; readonly unasked: boolean; readonly asked: AskedReturn }

/** Which ways are open is read, too: a cache that is a second old does not decide. security.md §14 */
export async function findReturn(deps: BrokerDeps, known: ResolvedTenant, asked: AskedReturn | undefined): Promise<Returning | undefined> {
  if (asked === undefined) return undefined
  const tenant = await presentAt(known, deps)
  const client = await deps.clients.read({ tenantId: tenant.id, issuerId: tenant.issuer.id, id: asked.clientId as ClientId })
  const url = returnOfSignOut({ ...asked, state: asked.state }, client, tenant)
  return client === undefined || url === undefined ? undefined : { url, unasked: mayBeSentToUnasked(client, url), asked }
}

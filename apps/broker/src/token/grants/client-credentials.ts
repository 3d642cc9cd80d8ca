/** Grant type client_credentials: a client that an admin registered acts in its own name. One statement, one access token. */
import { addSeconds } from '@drawbridge/core/instant'
import { decideOwnAccess } from '@drawbridge/core/oauth/client-credentials'
import { canBeNamed } from '@drawbridge/core/oauth/machine-subject'
import { findAskedResource } from '@drawbridge/core/oauth/resource'
import type { ClientCredentialsRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok } from '@drawbridge/core/result'
import type { GrantId } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { openClientGrant } from '@drawbridge/store/client-grants'
import { onHotPath } from '@drawbridge/store/transaction'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import { findMissingProof } from '../../clients/dpop.js'
import { findShut } from '../../clients/find-shut.js'
import { namedAt } from '../../clients/subject-of-client.js'
import type { Exchange } from '../exchange.js'
import { issueTokens } from '../issue-tokens.js'
import { versionGoneBy } from '../proof-demanded.js'

/** The configuration may change again while it is being decided on; after this many rounds the client may try again. */
const mostDecisions = 3

/** @spec RFC 6749 §4.4 */
export const exchangeClientCredentials: Exchange<ClientCredentialsRequest> = async (deps, context, request) => {
  const { tenant: known, client, provenKey, http, now } = context
  if (!canBeNamed(client.id, namedAt(known))) return ifUnchanged(deps, client, err({ reason: 'client_named_like_person' }))
  let tenant = known
  for (let round = 0; round < mostDecisions; round += 1) {
    const found = findAskedResource(request.resource, tenant.resources)
    if (!found.ok)
      return ifUnchanged(deps, client, err({ reason: found.error === 'missing' ? 'resource_unnamed' : 'resource_not_of_grant' }))
    const resource = found.value
    const shut = findShut(tenant, client)
    if (shut) return ifUnchanged(deps, client, err(shut))
    const { knownAddress: address, country } = http
    const asked = { scopes: request.scopes, resource, policy: tenant.policy, address, country, onUnclear: countUnclear(deps) }
    const access = decideOwnAccess(client, asked, now)
    if (!access.ok) return ifUnchanged(deps, client, err({ reason: access.error }))
    const opened = await openClientGrant(onHotPath(deps.database), {
      tenantId: tenant.id,
      grantId: deps.random.uuid() as GrantId,
      caller: callerOf(client),
      isAtFront: tenant.issuer.kind !== 'tenant',
      resource,
      provenKey,
      ...access.value,
      expiresAt: addSeconds(now, access.value.accessTokenTtl.seconds),
      decidedUnder: { configurationVersion: versionGoneBy(context, tenant), policyVersion: tenant.policyVersion },
      now,
      asked: { requestId: http.requestId, address: http.address },
    })
    if (opened.kind === 'client_changed') return 'client_changed'
    if (opened.kind === 'refused') return err({ reason: opened.reason })
    if (opened.kind === 'decide_again') {
      tenant = await deps.configuration.atVersion(tenant, opened.configurationVersion)
      const missing = findMissingProof(context, tenant)
      if (missing) return err(missing)
      continue
    }
    const { grant } = opened
    const { access_token_ttl_seconds: accessTokenTtlSeconds, grant_expires_at: grantExpiresAt, scopes } = grant
    const confirmation = provenKey?.thumbprint
    return ok(
      await issueTokens(deps, tenant, {
        ...{ grant, scopes, accessTokenTtlSeconds, confirmation },
        ...{ grantExpiresAt, refreshToken: undefined, now },
      }),
    )
  }
  return err({ reason: 'decision_unsettled' })
}

/** What is told of a person, to a client or to a resource server: from what her IdP and her directory say at this moment, by the scopes of both sides. */
import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import { withVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import { buildUserinfo, scopesTold, type Userinfo } from '@drawbridge/core/oauth/userinfo'
import type { KnownOfPerson } from '@drawbridge/store/grants'
import { claimSourcesOf } from '../admission/claim-sources.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** `scopes`: those of the listener. Of them counts what her tenant allows now. */
export function tellOfPerson(tenant: ResolvedTenant, person: KnownOfPerson, sub: string, scopes: readonly IdentityScope[]): Userinfo {
  const allowed = scopesTold(tenant.toldOfPeople).filter((scope) => scopes.includes(scope))
  const identity = identityFromJson(person.claims)
  if (!identity.ok) return buildUserinfo(sub, undefined, allowed)
  const known = withDirectory(identity.value, person.directorySays, claimSourcesOf(tenant)(identity.value.connectionId))
  return buildUserinfo(sub, withVerifiedAddress(known, tenant.domains), allowed)
}

/** Two secrets of a client at once, so that it is moved from the one to the other without a gap. docs/adr/0081 */

import type { Instant } from '@drawbridge/core/instant'
import { addSecret, type ClientSecret, limitSecret, secretIdOf, withdrawSecret } from '@drawbridge/core/oauth/client-secret'
import type { Result } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { changeClientSecrets } from '@drawbridge/store/client-secrets'
import { isScimClient } from '@drawbridge/store/scim-tokens'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront } from './at-front.js'
import { isSeen } from './client-precondition.js'
import { clientSecretShape, showSecret } from './client-shapes.js'
import type { AdminErrorReason } from './error.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, time } from './shapes.js'

const tag = 'Clients'
const path = '/tenants/:tenant/clients/:client/secrets'
const answer = z.strictObject({ clientId: z.string(), secrets: z.array(clientSecretShape) })

type Refusal = Extract<AdminErrorReason, 'not_found' | 'permission_missing' | 'secrets_full' | 'last_secret' | 'client_changed'>
type Change = {
  readonly kind: 'client.secret_added' | 'client.secret_withdrawn' | 'client.secret_limited'
  readonly detail: Readonly<Record<string, string | null>>
  /** Whoever has a secret of a directory says who works for the company: the same permission as for its token, and as audible. */
  readonly gives: boolean
  readonly of: (secrets: readonly ClientSecret[], now: Instant) => Result<readonly ClientSecret[], Refusal>
}

async function change(
  http: AdminRequest<unknown>,
  deps: BrokerDeps,
  { kind, detail, gives, of }: Change,
  show: (all: readonly ClientSecret[]) => Answer,
) {
  const tenant = tenantOf(http)
  const which = { issuerId: tenant.issuer.id, id: (http.params['client'] ?? '') as ClientId }
  const now = deps.clock.now()
  const done = await inTenant(deps.database, tenant.id, async (db): Promise<readonly ClientSecret[] | Refusal> => {
    const isDirectory = gives && (await isScimClient(db, tenant.id, which.issuerId, which.id))
    if (isDirectory && !http.caller.key.permissions.includes('impersonate')) return 'permission_missing'
    if (!(await isSeen(db, http))) return 'client_changed'
    const changed = await changeClientSecrets(db, tenant.id, which, (secrets) => of(secrets, now))
    if (!changed?.ok) return changed?.error ?? 'not_found'
    const asked = isDirectory ? { ...http, permission: 'impersonate' as const } : http
    await audit(db, tenant.id, asked, deps, { kind, clientId: which.id, detail })
    return changed.value
  })
  return typeof done === 'string' ? refuseAdmin(done) : show(done)
}

const end = z.strictObject({ expiresAt: time.nullable().default(null).describe('From then on it proves nothing; null: no end') })

const add = adminEndpoint({
  method: 'POST',
  path,
  tag,
  summary: 'Give a client a second secret beside the one that it has, shown once; both prove it',
  permission: 'configuration:write',
  body: end,
  status: 201,
  answer: answer.extend({ clientSecret: z.string() }),
  refuses: ['not_found', 'permission_missing', 'secrets_full', 'secret_ends_before_now', 'client_changed'],
  run: async (http, deps) => {
    const secret = deps.random.token()
    const now = deps.clock.now()
    const expiresAt = endOf(http.parsed)
    if (expiresAt !== undefined && expiresAt <= now) return refuseAdmin('secret_ends_before_now')
    const added: ClientSecret = { hash: hashCredential(secret), createdAt: now, expiresAt, lastUsedAt: undefined }
    const detail = { secret: secretIdOf(added), expiresAt: http.parsed.expiresAt }
    return change(
      http,
      deps,
      { kind: 'client.secret_added', detail, gives: true, of: (secrets) => addSecret(secrets, added, now) },
      (all) => json({ ...shown(http, all), clientSecret: secret }, { status: 201 }),
    )
  },
})

const limit = adminEndpoint({
  method: 'PATCH',
  path: `${path}/:secret`,
  tag,
  summary: 'Say when a secret of a client ends, or that it does not; one that has ended stays so',
  permission: 'configuration:write',
  body: end.required(),
  answer,
  refuses: ['not_found', 'permission_missing', 'secret_ends_before_now', 'client_changed'],
  run: async (http, deps) => {
    const id = http.params['secret'] ?? ''
    const expiresAt = endOf(http.parsed)
    if (expiresAt !== undefined && expiresAt <= deps.clock.now()) return refuseAdmin('secret_ends_before_now')
    return change(
      http,
      deps,
      {
        kind: 'client.secret_limited',
        detail: { secret: id, expiresAt: http.parsed.expiresAt },
        gives: true,
        of: (secrets, now) => limitSecret(secrets, id, { expiresAt, now }),
      },
      (all) => json(shown(http, all)),
    )
  },
})

const withdraw = adminEndpoint({
  method: 'DELETE',
  path: `${path}/:secret`,
  tag,
  summary: 'Withdraw a secret of a client at once; the last that lives stays',
  permission: 'configuration:write',
  answer,
  refuses: ['not_found', 'last_secret', 'client_changed'],
  run: (http, deps) => {
    const id = http.params['secret'] ?? ''
    return change(
      http,
      deps,
      { kind: 'client.secret_withdrawn', detail: { secret: id }, gives: false, of: (secrets, now) => withdrawSecret(secrets, id, now) },
      (all) => json(shown(http, all)),
    )
  },
})

const endOf = ({ expiresAt }: { readonly expiresAt: string | null }): Instant | undefined =>
  expiresAt === null ? undefined : fromIso(expiresAt)
const shown = (http: AdminRequest<unknown>, all: readonly ClientSecret[]) => ({
  clientId: http.params['client'] ?? '',
  secrets: all.map(showSecret),
})

export const clientSecretEndpoints = [add, limit, withdraw]
/** Every tenant at which the client is known follows, in the same commit. */
export const frontClientSecretEndpoints = clientSecretEndpoints.map(ofFront)

/** Policies: compiled before they are published, every mistake shown with its place. Versions are only ever added. */
import { compilePolicy } from '@drawbridge/core/policy/compile'
import { findCurrentPolicy, findPolicy, listPolicies, publishPolicy, type StoredPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type AdminRequest, adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import {
  documentShape,
  noteShape,
  policyHeading,
  policyShown,
  publishedShape,
  showHeading,
  showMistakes,
  showPolicy,
} from './policy-shapes.js'
import { refuseAdmin } from './refuse-admin.js'
import { toIso } from './shapes.js'

const tag = 'Policies'

/** What refuses a document as this tenant's policy, inside the wall of the vendor. */
export function listMistakes(text: string, { wall }: Pick<ResolvedTenant, 'wall'>): ReturnType<typeof showMistakes> | undefined {
  const compiled = compilePolicy(text, { wall })
  return compiled.ok ? undefined : showMistakes(compiled.error)
}

const current = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policy',
  tag,
  summary: 'Read the policy that holds; version 0 is the safe default',
  permission: 'configuration:read',
  answer: z.union([policyShown, z.strictObject({ version: z.literal(0), document: z.null() })]),
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const policy = await inTenant(deps.database, id, (db) => findCurrentPolicy(db, id))
    return json(policy ? showPolicy(policy) : { version: 0, document: null })
  },
})

const list = adminList({
  path: '/tenants/:tenant/policies',
  tag,
  summary: 'List the versions of the policy, newest first',
  permission: 'configuration:read',
  member: 'policies',
  shown: policyHeading,
  position: ['before', 'serial'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listPolicies(db, id, page))
  },
  show: showHeading,
  positionOf: ({ version }) => version,
})

/** `undefined`: this tenant never published such a version. */
async function findVersion(http: AdminRequest<unknown>, deps: BrokerDeps): Promise<StoredPolicy | undefined> {
  const { id } = tenantOf(http)
  const text = http.params['version'] ?? ''
  return /^\d{1,15}$/.test(text) ? inTenant(deps.database, id, (db) => findPolicy(db, id, Number(text))) : undefined
}

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policies/:version',
  tag,
  summary: 'Read one version of the policy',
  permission: 'configuration:read',
  answer: policyShown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const policy = await findVersion(http, deps)
    return policy ? json(showPolicy(policy)) : refuseAdmin('not_found')
  },
})

async function publishDocument(http: AdminRequest<unknown>, deps: BrokerDeps, text: string, said: string): Promise<Answer> {
  const tenant = tenantOf(http)
  const { id } = tenant
  const mistakes = listMistakes(text, tenant)
  if (mistakes) return refuseAdmin('policy_invalid', mistakes)
  const now = deps.clock.now()
  const version = await inTenant(deps.database, id, async (db) => {
    const made = await publishPolicy(db, id, { document: text, note: said, author: http.caller.key.name, now })
    await audit(db, id, http, deps, { kind: 'policy.published', detail: { version: made, note: said } })
    return made
  })
  return json({ version, publishedAt: toIso(now) }, { status: 201 })
}

const publish = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies',
  tag,
  summary: 'Publish the next version',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({ document: documentShape, note: noteShape }),
  answer: publishedShape,
  refuses: ['policy_invalid'],
  run: (http, deps) => publishDocument(http, deps, http.parsed.document, http.parsed.note),
})

const republish = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/:version/republish',
  tag,
  summary: 'Publish an old version again, as the next one',
  permission: 'configuration:write',
  status: 201,
  answer: publishedShape,
  refuses: ['not_found', 'policy_invalid'],
  run: async (http, deps) => {
    const old = await findVersion(http, deps)
    return old ? publishDocument(http, deps, old.document, `version ${old.version} again`) : refuseAdmin('not_found')
  },
})

const check = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/check',
  tag,
  summary: 'Compile a policy without publishing it',
  permission: 'configuration:read',
  body: z.strictObject({ document: documentShape }),
  answer: z.strictObject({ compiles: z.literal(true) }),
  refuses: ['policy_invalid'],
  run: async (http) => {
    const mistakes = listMistakes(http.parsed.document, tenantOf(http))
    return mistakes ? refuseAdmin('policy_invalid', mistakes) : json({ compiles: true })
  },
})

export const policyEndpoints = [current, list, read, publish, republish, check]

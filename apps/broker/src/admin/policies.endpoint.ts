/** Policies: compiled before they are published, every mistake shown with its place. */
import { compilePolicy } from '@drawbridge/core/policy/compile'
import { findCurrentPolicy, publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, refuseAdmin, toIso } from './admin-endpoint.js'

const tag = 'Policies'
const document = z.string().min(1).max(65_536).describe('The policy as YAML')
const mistakesShown = 50

function listMistakes(text: string): readonly { readonly path: string; readonly message: string }[] | undefined {
  const compiled = compilePolicy(text)
  if (compiled.ok) return undefined
  return compiled.error.slice(0, mistakesShown).map(({ path, say, line, expression }) => ({
    path,
    message: [line === undefined ? '' : `line ${line}: `, say, expression === undefined ? '' : `\n${expression.caret}`].join(''),
  }))
}

const current = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policy',
  tag,
  summary: 'Read the policy that holds; version 0 is the safe default',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const policy = await inTenant(deps.database, id, (db) => findCurrentPolicy(db, id))
    return policy ? json({ ...policy, publishedAt: toIso(policy.publishedAt) }) : json({ version: 0, document: null })
  },
})

const publish = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies',
  tag,
  summary: 'Publish the next version',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({ document, note: z.string().max(500).default('') }),
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const mistakes = listMistakes(http.parsed.document)
    if (mistakes) return refuseAdmin('policy_invalid', mistakes)
    const now = deps.clock.now()
    const version = await inTenant(deps.database, id, async (db) => {
      const published = await publishPolicy(db, id, { ...http.parsed, author: http.caller.key.name, now })
      await audit(db, id, http, deps, { kind: 'policy.published', detail: { version: published, note: http.parsed.note } })
      return published
    })
    return json({ version, publishedAt: toIso(now) }, { status: 201 })
  },
})

const check = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/check',
  tag,
  summary: 'Compile a policy without publishing it',
  permission: 'configuration:read',
  body: z.strictObject({ document }),
  run: async (http) => {
    const mistakes = listMistakes(http.parsed.document)
    return mistakes ? refuseAdmin('policy_invalid', mistakes) : json({ compiles: true })
  },
})

export const policyEndpoints = [current, publish, check]

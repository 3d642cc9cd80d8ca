/** Dry runs: a policy is asked about somebody who is described, or about a test login, and explains itself scope by scope. */

import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import { mostScopesAsked, testLoginAsked } from '@drawbridge/core/identity/test-login'
import type { Instant } from '@drawbridge/core/instant'
import { findResource } from '@drawbridge/core/oauth/resource'
import { inputOfSituation, policySituation } from '@drawbridge/core/policy/cases'
import type { PolicyInput } from '@drawbridge/core/policy/decide'
import type { ClientId, Scope, TestLoginId } from '@drawbridge/core/tenant/ids'
import { readTestLogin, type StoredTestLogin } from '@drawbridge/store/test-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { policyInputOf } from '../admission/admit.js'
import type { BrokerDeps } from '../deps.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, idParam } from './admin-endpoint.js'
import { answerDryRun, dryRunRefusals, policyChoice } from './dry-run.js'
import { shownDryRun } from './dry-run-shapes.js'
import { refuseAdmin } from './refuse-admin.js'
import { openFound } from './shown-test-login.js'

const tag = 'Policies'

const ofSituation = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/dry-run',
  tag,
  summary: 'Ask a policy about somebody who is described here. Nothing is written, neither question nor answer',
  permission: 'configuration:read',
  body: z.strictObject({ policy: policyChoice, situation: policySituation }),
  answer: shownDryRun,
  refuses: dryRunRefusals,
  run: (http, deps) => {
    const tenant = tenantOf(http)
    const { policy: choice, situation } = http.parsed
    const input = inputOfSituation(situation, tenant.resources)
    return input ? answerDryRun(deps, tenant, { choice, input }) : Promise.resolve(impossible('situation.resource', noResource))
  },
})

export const noResource = 'name one of the resources of this tenant; where it has only one, that is meant'
export const impossible = (path: string, message: string) => refuseAdmin('dry_run_impossible', [{ path, message }])

const ofTestLogin = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/test-logins/:id/dry-run',
  tag: 'Test logins',
  summary:
    'Ask a policy, with the key that asked for the test, about the login that it found, at the moment of the test. Nothing is written, neither question nor answer',
  permission: 'impersonate',
  body: z.strictObject({
    policy: policyChoice,
    clientId: z.string().max(2048).optional().describe('Left out: the one of the test'),
    resource: z.string().max(2048).optional().describe('Left out: the one of the test'),
    scopes: z.array(z.string().min(1).max(200)).max(mostScopesAsked).optional().describe('Left out: those of the test'),
    address: z.string().max(64).optional().describe('Whence she asks; a test does not keep it'),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/)
      .optional()
      .describe('ISO 3166-1; a test does not keep it'),
  }),
  answer: shownDryRun,
  refuses: dryRunRefusals,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<TestLoginId>(http)
    const reader = { askedBy: http.caller.key.id, now: deps.clock.now() }
    const test = id && (await inTenant(deps.database, tenant.id, (db) => readTestLogin(db, tenant.id, { id, ...reader })))
    if (!test) return refuseAdmin('not_found')
    const { policy: choice, ...about } = http.parsed
    const input = await inputOfTest(deps, tenant, test, about)
    return typeof input === 'string' ? impossible('', input) : answerDryRun(deps, tenant, { choice, input })
  },
})

type About = {
  readonly clientId?: string | undefined
  readonly resource?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly address?: string | undefined
  readonly country?: string | undefined
}

/** As the login would have been judged when the test was: what it proved is no staler for being looked at later. Or why there is nothing to ask about. */
async function inputOfTest(deps: BrokerDeps, tenant: ResolvedTenant, test: StoredTestLogin, about: About): Promise<PolicyInput | string> {
  const asked = testLoginAsked.parse(test.asked)
  const found = openFound(deps, tenant, test)
  const now = test.finishedAt
  if (now === undefined || !found?.identity) return 'the test has not found anybody'
  const { clientId = asked.clientId, resource: identifier = asked.resource, scopes = asked.scopes, address, country } = about
  if (clientId === undefined || identifier === undefined) return 'a policy is asked for a client and a resource: the test named none'
  const client = await deps.clients.read({ tenantId: tenant.id, issuerId: tenant.issuer.id, id: clientId as ClientId })
  const resource = findResource(identifier, tenant.resources)
  if (!client || !resource) return client ? noResource : 'there is no such client'
  const identity = identityFromJson({ ...found.identity, connectionId: test.connectionId, subjectId: null, idpSession: noIdpSession })
  if (!identity.ok) return 'the test has not found anybody'
  return policyInputOf({
    tenant,
    client,
    resource,
    identity: identity.value,
    scopes: scopes.map((scope) => scope as Scope),
    stepUpsDone: asked.secondFactor ? 1 : 0,
    session: { startedAt: now, isOwn: true },
    deactivatesAt: found.admission?.endsAt == null ? undefined : (found.admission.endsAt as Instant),
    from: { address, country },
    now,
  })
}

const noIdpSession = { sessionIndex: null, nameId: null, sid: null }

export const dryRunEndpoints = [ofSituation, ofTestLogin]

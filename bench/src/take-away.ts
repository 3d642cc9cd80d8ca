/**
 * What the product is for: from the directory's PATCH active=false to the first 401 at a guarded MCP server, through broker, outbox,
 * worker, notice and long-poll. The example server runs in this process, broker and worker in theirs.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Instant } from '@drawbridge/core/instant'
import type { SubjectId } from '@drawbridge/core/tenant/ids'
import { createExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { asOwner } from '@drawbridge/testkit/database'
import type { Laboratory } from './laboratory.js'

const giveUpMs = 10_000
const betweenCallsMs = 1
/** Tenant, id, connection, stable id, time. */
export const subjectRow = `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
  VALUES ($1, $2, $3, $4, '{}', $5, $5, $5)`
const toolCall = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'search_documents', arguments: { text: 'welcome' } },
})

export type Person = { readonly scimUserId: string; readonly accessToken: string }

/** Answers the milliseconds of each run. The clock starts before the PATCH is sent and stops when the 401 has arrived. */
export async function measureTakingAway(laboratory: Laboratory, runs: number): Promise<readonly number[]> {
  const { tenant, issuer } = laboratory
  const example = await createExampleMcpServer({
    resource: tenant.resource,
    port: 0,
    issuers: [{ issuer, credential: { id: tenant.credentialId, secret: tenant.credentialSecret } }],
  })
  try {
    await example.guard.start()
    const callTool = (person: Person) => callExample(`http://127.0.0.1:${example.port}/mcp`, person)
    const took: number[] = []
    for (let run = 0; run < runs; run += 1) {
      const person = await aPerson(laboratory)
      const before = await callTool(person)
      if (before !== 200) throw new Error(`the example server answered ${before} before anything was taken away`)
      took.push(await takeAwayFrom(laboratory, person, callTool))
    }
    return took
  } finally {
    await example.close()
  }
}

async function takeAwayFrom(laboratory: Laboratory, person: Person, callTool: (person: Person) => Promise<number>): Promise<number> {
  const begun = performance.now()
  await deactivate(laboratory, person)
  for (;;) {
    const status = await callTool(person)
    const elapsed = performance.now() - begun
    if (status === 401) return elapsed
    if (elapsed > giveUpMs) throw new Error(`the token still worked ${giveUpMs / 1000} s after its owner was deactivated`)
    await sleep(betweenCallsMs)
  }
}

export const deactivation = {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', value: { active: false } }],
}
export const deactivatePath = (scimUserId: string): string => `/t/bench/scim/v2/Users/${scimUserId}`
export const scimHeaders = ({ scimToken }: Laboratory) => ({
  authorization: `Bearer ${scimToken}`,
  'content-type': 'application/scim+json',
})

/** As a directory does it; what it answers has been committed. */
export const deactivate = async (laboratory: Laboratory, { scimUserId }: Pick<Person, 'scimUserId'>): Promise<void> =>
  void (await scim(laboratory, 'PATCH', `/Users/${scimUserId}`, deactivation))

/** Somebody whom the directory knows, who has signed in and holds an access token. */
export async function aPerson(laboratory: Laboratory): Promise<Person> {
  const { fixture, tenant, platform } = laboratory
  const subjectId = randomUUID() as SubjectId
  const now = platform.clock.now()
  await asOwner(fixture.ownerUrl, subjectRow, [tenant.tenantId, subjectId, tenant.connectionId, subjectId, new Date(now)])
  const scimUserId = await scim(laboratory, 'POST', '/Users', {
    externalId: subjectId,
    userName: `${subjectId}@bench.example`,
    active: true,
  })
  const code = await aCodeOf(laboratory, subjectId, now)
  const form = { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: tenant.clientId }
  const answer = await fetch(`${laboratory.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`the token endpoint answered ${answer.status}: ${text}`)
  const tokens = JSON.parse(text) as { readonly access_token: string }
  return { scimUserId, accessToken: tokens.access_token }
}

/** By a decision that knows what her directory has told of her meanwhile; it tells of others, too, and then it is decided anew. */
async function aCodeOf({ fixture, tenant }: Laboratory, subjectId: SubjectId, now: Instant): Promise<string> {
  for (;;) {
    const [versions] = await asOwner<{ readonly claimsVersion: number; readonly directoryVersion: number }>(
      fixture.ownerUrl,
      `SELECT s.claims_version::int AS "claimsVersion", c.directory_version::int AS "directoryVersion"
       FROM subjects s JOIN connections c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id WHERE s.tenant_id = $1 AND s.id = $2`,
      [tenant.tenantId, subjectId],
    )
    const grant = await aGrant(fixture, { ...tenant, subjectId }, { now, scopes: ['documents:read'], ...(versions && { versions }) })
    if (grant.opened) return grant.code
  }
}

async function callExample(url: string, person: Person): Promise<number> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${person.accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: toolCall,
  })
  await answer.arrayBuffer()
  return answer.status
}

/** Answers the id of the user. */
async function scim(
  laboratory: Laboratory,
  method: 'POST' | 'PATCH',
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<string> {
  const answer = await fetch(`${laboratory.issuer}/scim/v2${path}`, {
    method,
    headers: scimHeaders(laboratory),
    body: JSON.stringify({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], ...body }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`SCIM ${method} ${path} answered ${answer.status}: ${text}`)
  return String((JSON.parse(text) as { id?: unknown }).id)
}

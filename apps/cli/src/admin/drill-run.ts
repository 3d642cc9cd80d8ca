/**
 * `drawbridge drill`: gives access to somebody who does not exist, takes it away by the way that is to be tried, and stops the time until it is
 * dead everywhere: here, at every guard, and at a resource server that is asked itself.
 *
 * The directory's way is the directory's own: a SCIM request creates her and one deactivates her. What was made for the drill is removed again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { err, ok, type Result } from '@drawbridge/core/result'
import { drillDomain } from '@drawbridge/core/revocation/drill'
import { z } from 'zod'
import type { AdminClient, Refused } from './admin-client.js'
import type { Outcome, Run } from './command.js'
import { heardOf, isHeardBy, momentOf, type Receipt, receiptShape } from './drill-receipt.js'
import { exitCodes } from './help.js'
import { fillPath, resolveNames } from './make-call.js'

const probePauseMs = 5
const receiptPauseMs = 100
const patienceMs = 10_000
/** Of the SCIM token that is made where none is given. */
const tokenSeconds = 600

type Place = { readonly client: AdminClient; readonly tenant: string; readonly connectionId: string; readonly resource: string }
/** `resource`: as receipts call the resource server. */
type Drill = {
  readonly subjectId: string
  readonly resource: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly tokenEndpoint: string
}
type Directory = { readonly scim: string; readonly secret: string; readonly remove: () => Promise<unknown> }
type Step = { readonly what: string; readonly milliseconds: number }
type Asked = {
  readonly by: 'scim' | 'admin'
  readonly probe: string | undefined
  readonly withinMs: number
  readonly secret: string | undefined
}
type Answer<T> = Promise<Result<T, Refused>>

export const runDrill: Run = async ({ arguments: named, body }, tools) => {
  const { tenant = '', connection = '', resource: asResource = '' } = named
  const resolved = await resolveNames({ tenant, connection }, tools.client)
  if (!resolved.ok) return { kind: 'refused', refused: resolved.error }
  const resource = await identifierOf(tools.client, tenant, asResource)
  if (!resource.ok) return { kind: 'refused', refused: resource.error }
  const place: Place = { client: tools.client, tenant, connectionId: resolved.value.connection ?? '', resource: resource.value }
  const { by = 'scim', probe, within = 10, scimToken } = body as { by?: Asked['by']; probe?: string; within?: number; scimToken?: string }
  const asked: Asked = { by, probe, withinMs: within * 1000, secret: scimToken }
  const directory = by === 'scim' ? await openDirectory(place, asked) : ok(undefined)
  if (!directory.ok) return { kind: 'refused', refused: directory.error }
  try {
    return directory.value === undefined ? await drillByAdmin(place, asked) : await drillByScim(place, asked, directory.value)
  } finally {
    await directory.value?.remove()
  }
}

/** Shared resources of the vendor are in no list of a tenant: an identifier is taken as it is. */
async function identifierOf(client: AdminClient, tenant: string, named: string): Answer<string> {
  if (URL.canParse(named)) return ok(named)
  const listed = await client.list(fillPath('/tenants/{tenant}/resources', { tenant }), { member: 'resources' })
  if (!listed.ok) return listed
  const found = (listed.value as readonly Readonly<Record<string, string>>[]).find(({ id }) => id === named)
  return found?.['identifier'] === undefined ? err(impossible(`there is no resource ${named}`)) : ok(found['identifier'])
}

const scimTokenShape = z.object({
  connectionId: z.string(),
  scope: z.string(),
  revokedAt: z.string().nullable(),
  expiresAt: z.string().nullable(),
})

/** A token of the directory: the one that was named, or one for ten minutes. No directory is begun by a drill: a first token would shut people out. */
async function openDirectory({ client, tenant, connectionId }: Place, { secret }: Asked): Answer<Directory> {
  const found = await client.call('GET', fillPath('/tenants/{tenant}', { tenant }))
  if (!found.ok) return found
  const scim = `${String((found.value as { issuer?: unknown }).issuer)}/scim/v2`
  if (secret !== undefined) return ok({ scim, secret, remove: async () => undefined })
  const tokens = fillPath('/tenants/{tenant}/scim-tokens', { tenant })
  const listed = await client.list(tokens, { member: 'scimTokens' })
  if (!listed.ok) return listed
  const living = z
    .array(scimTokenShape)
    .parse(listed.value)
    .filter(
      ({ connectionId: of, scope, revokedAt, expiresAt: endsAt }) =>
        of === connectionId && scope !== 'scim:read' && revokedAt === null && (endsAt === null || new Date(endsAt) > new Date()),
    )
  if (living.length === 0) return err(impossible('no directory speaks SCIM for this connection: drill with --by admin'))
  const expiresAt = new Date(Date.now() + tokenSeconds * 1000).toISOString()
  const made = await client.call('POST', tokens, { connectionId, name: 'drill', scope: 'scim:users', expiresAt })
  if (!made.ok) return made
  const { id, secret: own } = z.object({ id: z.string(), secret: z.string() }).parse(made.value)
  return ok({ scim, secret: own, remove: () => client.call('DELETE', `${tokens}/${id}`) })
}

async function drillByScim(place: Place, asked: Asked, directory: Directory): Promise<Outcome> {
  const name = `drill-${Date.now()}@${drillDomain}`
  const created = await scim(directory, 'POST', '/Users', { userName: name, externalId: name, active: true, displayName: 'A drill' })
  if (!created.ok) return { kind: 'refused', refused: created.error }
  const scimUserId = String(created.value['id'])
  try {
    return await drill(place, { scimUserId }, asked, () =>
      scim(directory, 'PATCH', `/Users/${scimUserId}`, { Operations: [{ op: 'replace', value: { active: false } }] }),
    )
  } finally {
    await scim(directory, 'DELETE', `/Users/${scimUserId}`)
  }
}

const drillByAdmin = (place: Place, asked: Asked): Promise<Outcome> =>
  drill(place, {}, asked, ({ subjectId }) =>
    place.client.call('POST', fillPath('/tenants/{tenant}/subjects/{id}/kill', { tenant: place.tenant, id: subjectId }), {
      reason: 'drill',
    }),
  )

async function drill(place: Place, more: object, asked: Asked, takeAway: (of: Drill) => Answer<unknown>): Promise<Outcome> {
  const begun = await begin(place, more)
  if (!begun.ok) return { kind: 'refused', refused: begun.error }
  const held = begun.value
  if (asked.probe !== undefined) {
    const before = await ask(asked.probe, held.accessToken)
    if (before === 401) return { kind: 'refused', refused: impossible(`${asked.probe} refuses her token before anything was taken away`) }
  }
  const from = performance.now()
  const elapsed = () => Math.round(performance.now() - from)
  const steps: Step[] = []
  const step = (what: string) => steps.push({ what, milliseconds: elapsed() })
  const taken = await takeAway(held)
  if (!taken.ok) return { kind: 'refused', refused: taken.error }
  step('The answer: from here on nothing of hers is accepted or issued')
  const refreshed = await refresh(held)
  if (refreshed !== 400) return { kind: 'refused', refused: impossible(`her refresh token was answered ${refreshed} after that`) }
  step('Her refresh token is refused')
  const [probed, { receipt, milliseconds }] = await Promise.all([
    untilRefused(asked, held, elapsed),
    untilDead(place, held, asked, elapsed),
  ])
  if (probed !== undefined) steps.push({ what: `${asked.probe ?? ''} refuses her token`, milliseconds: probed })
  steps.push({ what: heardOf(receipt), milliseconds })
  const isOver = Number.isFinite(probed ?? 0) && Number.isFinite(milliseconds)
  // Who was asked itself has shown that it refuses, however it came to know. Of any other only its own guard can say so.
  const isHeard = asked.probe !== undefined || isHeardBy(held.resource, receipt)
  const isDead = isOver && isHeard
  const shown = steps.map(({ what, milliseconds: after }) => ({ what, milliseconds: Number.isFinite(after) ? after : null }))
  return {
    kind: 'done',
    answer: { tenant: place.tenant, by: asked.by, subjectId: held.subjectId, isDead, steps: shown, receivers: receipt?.receivers ?? [] },
    says: isOver ? (isHeard ? 'Nothing of hers is left.' : unheard(held.resource)) : late(asked),
    ...(isDead ? {} : { exitCode: exitCodes.refused.code }),
  }
}

const late = ({ withinMs }: Asked): string =>
  `NOT dead everywhere within ${withinMs / 1000} seconds: drawbridge receipt list shows who has not answered.`
const unheard = (resource: string): string =>
  `NOT dead at ${resource}: no guard of this resource listens, so it believes her access token until that ends. Start its guard, or ask it itself with --probe.`

const opened = z.object({
  ...{ subjectId: z.string(), resource: z.string(), tokenEndpoint: z.url(), clientId: z.string(), redirectUri: z.string() },
  ...{ code: z.string(), codeVerifier: z.string() },
})
const tokensShape = z.object({ access_token: z.string(), refresh_token: z.string() })

async function begin({ client, tenant, connectionId, resource }: Place, more: object): Answer<Drill> {
  const begun = await client.call('POST', fillPath('/tenants/{tenant}/drills', { tenant }), { connectionId, resource, ...more })
  if (!begun.ok) return begun
  const { subjectId, resource: identifier, tokenEndpoint, clientId, redirectUri, code, codeVerifier } = opened.parse(begun.value)
  const form = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: redirectUri, code, code_verifier: codeVerifier }
  const answered = await fetch(tokenEndpoint, { method: 'POST', body: new URLSearchParams(form), redirect: 'error' })
  const tokens = tokensShape.safeParse(await answered.json().catch(() => undefined))
  if (!tokens.success) return err(impossible(`${tokenEndpoint} answered ${answered.status} to the code of the drill`))
  const { access_token: accessToken, refresh_token: refreshToken } = tokens.data
  return ok({ subjectId, resource: identifier, tokenEndpoint, accessToken, refreshToken })
}

async function refresh({ tokenEndpoint, refreshToken }: Drill): Promise<number> {
  const form = { grant_type: 'refresh_token', client_id: 'drawbridge-drill', refresh_token: refreshToken }
  const answered = await fetch(tokenEndpoint, { method: 'POST', body: new URLSearchParams(form), redirect: 'error' })
  await answered.arrayBuffer()
  return answered.status
}

/** Any request: who may not come in is refused before what she wants is looked at. */
async function ask(probe: string, accessToken: string): Promise<number> {
  const answered = await fetch(probe, {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    redirect: 'error',
    signal: AbortSignal.timeout(patienceMs),
  })
  await answered.arrayBuffer()
  return answered.status
}

/** Milliseconds; infinite: it still believed at the end. `undefined`: none was to be asked. */
async function untilRefused({ probe, withinMs }: Asked, { accessToken }: Drill, elapsed: () => number): Promise<number | undefined> {
  if (probe === undefined) return undefined
  while (elapsed() < withinMs) {
    if ((await ask(probe, accessToken)) === 401) return elapsed()
    await sleep(probePauseMs)
  }
  return Number.POSITIVE_INFINITY
}

/** By the receipt of the event that named her: among the newest at first, for it has just come, and from then on by its moment. */
async function untilDead({ client, tenant }: Place, { subjectId, resource }: Drill, { withinMs }: Asked, elapsed: () => number) {
  let receipt: Receipt | undefined
  while (elapsed() < withinMs) {
    const query = { receivers: 'true', resource, ...(receipt && momentOf(receipt)) }
    const listed = await client.list(fillPath('/tenants/{tenant}/revocations', { tenant }), {
      ...{ member: 'revocations', query, newestFirst: true, firstPageAlone: true },
    })
    const receipts = listed.ok ? z.array(receiptShape).parse(listed.value) : []
    receipt = receipts.find(({ targetId }) => targetId === subjectId) ?? receipt
    if (receipt !== undefined && receipt.deadAt !== null) return { milliseconds: elapsed(), receipt }
    await sleep(receiptPauseMs)
  }
  return { milliseconds: Number.POSITIVE_INFINITY, receipt }
}

const types = { user: 'urn:ietf:params:scim:schemas:core:2.0:User', patch: 'urn:ietf:params:scim:api:messages:2.0:PatchOp' }

async function scim({ scim: base, secret }: Directory, method: string, path: string, body?: object): Answer<Record<string, unknown>> {
  const answered = await fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/scim+json' },
    redirect: 'error',
    signal: AbortSignal.timeout(patienceMs),
    ...(body === undefined ? {} : { body: JSON.stringify({ schemas: [method === 'PATCH' ? types.patch : types.user], ...body }) }),
  })
  const text = await answered.text()
  if (!answered.ok) return err(impossible(`SCIM answered ${answered.status}: ${text.slice(0, 300)}`))
  return ok(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>))
}

const impossible = (detail: string): Refused => ({ status: 409, reason: '', title: 'No drill', detail, errors: [] })

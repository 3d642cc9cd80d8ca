/** Set-up links as an admin makes them, and the drafts that wait for approval. Whoever approves makes a connection: `impersonate`. */
import { addSeconds } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { listDrafts, lockDraft, markDraft, type StoredDraft } from '@drawbridge/store/connection-drafts'
import { insertSetupLink, listSetupLinks, lockSetup, markSetupLinkRevoked, type SetupLink } from '@drawbridge/store/setup-links'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { activateDraft, keepDraftSeconds } from './setup/activate-draft.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'
import { type Full, findFullOf, refuseFull } from './tenant-room.js'

const tag = 'Set-up links'
const longestLinkDays = 30
const usualLinkDays = 7

const shown = z.strictObject({
  id: idShape,
  draftId: idShape.describe('Of the draft, and of the connection that it may become'),
  note: z.string(),
  createdAt: time,
  openedAt: timeOrNull.describe('A link opens once, in one browser'),
  revokedAt: timeOrNull,
  expiresAt: time,
})
const show = ({ id, draftId, note, createdAt, exchangedAt, revokedAt, expiresAt }: SetupLink): z.output<typeof shown> => ({
  ...{ id, draftId, note, createdAt: toIso(createdAt), openedAt: toIsoOrNull(exchangedAt) },
  ...{ revokedAt: toIsoOrNull(revokedAt), expiresAt: toIso(expiresAt) },
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/setup-links',
  tag,
  summary: 'Make a link with which a company’s IT describes its IdP; shown once, opened once',
  permission: 'impersonate',
  body: z.strictObject({
    note: z.string().trim().min(1).max(120).describe('Whom it is for; in the trail and in what the contacts read'),
    days: z.int().min(1).max(longestLinkDays).default(usualLinkDays),
  }),
  status: 201,
  answer: shown.extend({ url: z.url().describe('The token stands behind the #, where no server and no scanner of mail sees it') }),
  refuses: ['setup_links_full'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { note, days } = http.parsed
    const now = deps.clock.now()
    const token = deps.random.token()
    const expiresAt = addSeconds(now, days * 86_400)
    const ids = { id: deps.random.uuid(), draftId: deps.random.uuid() as ConnectionId }
    const made = await inTenant(deps.database, tenant.id, async (db) => {
      const link = await insertSetupLink(db, tenant.id, { ...ids, tokenHash: hashCredential(token), note, now, expiresAt })
      if (link) await audit(db, tenant.id, http, deps, { kind: 'setup_link.created', detail: { setupLink: link.id, name: note } })
      return link
    })
    return made ? json({ ...show(made), url: `${tenant.issuer.url}/setup#${token}` }, { status: 201 }) : refuseAdmin('setup_links_full')
  },
})

const list = adminList({
  path: '/tenants/:tenant/setup-links',
  tag,
  summary: 'List set-up links, newest first, used and revoked ones too',
  permission: 'configuration:read',
  member: 'setupLinks',
  shown,
  position: ['before', 'moment'],
  read: (http, deps, page) => inTenant(deps.database, tenantOf(http).id, (db) => listSetupLinks(db, tenantOf(http).id, page)),
  show,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const revoke = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/setup-links/:id',
  tag,
  summary: 'Take a set-up link back, opened or not; a draft that waits goes on waiting',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam(http)
    const revoked = await inTenant(deps.database, tenant, async (db) => {
      const done = id !== undefined && (await markSetupLinkRevoked(db, tenant, id, deps.clock.now()))
      if (done) await audit(db, tenant, http, deps, { kind: 'setup_link.revoked', detail: { setupLink: id } })
      return done
    })
    return revoked ? empty() : refuseAdmin('not_found')
  },
})

const shownDraft = z.strictObject({
  id: idShape,
  setupLinkId: idShape,
  state: z.enum(['draft', 'waiting', 'activated', 'declined']),
  kind: z.enum(['saml', 'oidc']),
  name: z.string(),
  configuration: z.unknown(),
  metadataUrl: z
    .string()
    .nullable()
    .describe('From where the worker will fetch certificates, once it is a connection; null: given as text'),
  hasSecret: z.boolean(),
  revision: z.int().describe('Sent back with the decision: a draft that has changed since is not decided'),
  changedAt: time,
  decidedAt: timeOrNull,
})
const showDraft = ({ content, ...draft }: StoredDraft): z.output<typeof shownDraft> => ({
  id: draft.id,
  setupLinkId: draft.setupLinkId,
  state: draft.state === 'empty' ? 'draft' : draft.state,
  kind: content?.kind ?? 'saml',
  name: content?.name ?? '',
  configuration: content?.configuration ?? {},
  metadataUrl: content?.source?.url ?? null,
  hasSecret: content?.sealedSecret !== undefined,
  revision: draft.revision,
  changedAt: toIso(draft.changedAt),
  decidedAt: toIsoOrNull(draft.decidedAt),
})

const drafts = adminList({
  path: '/tenants/:tenant/connection-drafts',
  tag,
  summary: 'List connections that a company’s IT described by set-up links, newest first',
  permission: 'configuration:read',
  member: 'connectionDrafts',
  shown: shownDraft,
  position: ['before', 'moment'],
  read: (http, deps, page) => inTenant(deps.database, tenantOf(http).id, (db) => listDrafts(db, tenantOf(http).id, page)),
  show: showDraft,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const decision = z.strictObject({ revision: z.int() })

/** What waits is decided once, as it was seen. */
async function decide(
  http: AdminRequest<z.output<typeof decision>>,
  deps: BrokerDeps,
  carryOut: (db: Db, draft: StoredDraft) => Promise<Full | undefined>,
): Promise<Answer> {
  const tenant = tenantOf(http)
  const id = idParam<ConnectionId>(http)
  const outcome = await inTenant(deps.database, tenant.id, async (db) => {
    await lockSetup(db, tenant.id)
    const draft = id === undefined ? undefined : await lockDraft(db, tenant.id, id, deps.clock.now())
    if (!draft || draft.state === 'empty') return 'not_found'
    if (draft.state !== 'waiting' || draft.revision !== http.parsed.revision) return 'draft_moved'
    return (await carryOut(db, draft)) ?? 'done'
  })
  if (typeof outcome !== 'string') return refuseFull(outcome)
  return outcome === 'done' ? empty() : refuseAdmin(outcome)
}

const refuses = ['not_found', 'draft_moved'] as const
const common = { method: 'POST', tag, permission: 'impersonate', body: decision } as const

const approve = adminEndpoint({
  ...common,
  refuses: [...refuses, 'tenant_full'],
  path: '/tenants/:tenant/connection-drafts/:id/approve',
  summary: 'Make a draft that waits a connection of the tenant, beside those that it has',
  run: (http, deps) =>
    decide(http, deps, async (db, draft) => {
      const tenant = tenantOf(http)
      const { id, content } = draft
      const full = await findFullOf(db, tenant.id, 'connections', { id, configuration: content?.configuration ?? null })
      if (full) return full
      await activateDraft(db, deps, tenant, draft)
      const detail = { name: draft.content?.name, setupLink: draft.setupLinkId }
      await audit(db, tenant.id, http, deps, { kind: 'connection.created', connectionId: draft.id, detail })
      return undefined
    }),
})

const decline = adminEndpoint({
  ...common,
  refuses,
  path: '/tenants/:tenant/connection-drafts/:id/decline',
  summary: 'Decline a draft that waits; its secret is forgotten',
  run: (http, deps) =>
    decide(http, deps, async (db, draft) => {
      const { id: tenant } = tenantOf(http)
      const now = deps.clock.now()
      await markDraft(db, tenant, draft.id, { state: 'declined', now, expiresAt: addSeconds(now, keepDraftSeconds) })
      await audit(db, tenant, http, deps, { kind: 'connection_draft.declined', detail: { draft: draft.id, name: draft.content?.name } })
      return undefined
    }),
})

export const setupLinkEndpoints = [create, list, revoke, drafts, approve, decline]

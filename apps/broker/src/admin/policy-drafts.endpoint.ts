/**
 * Drafts of a policy: worked on by several admins, judged at every look, and published only as they were seen, on top of the version that they
 * were made from. A draft decides nothing and need not compile.
 */
import { findCurrentPolicy, newestVersion } from '@drawbridge/store/policies'
import {
  changePolicyDraft,
  findPolicyDraft,
  insertPolicyDraft,
  listPolicyDrafts,
  lockPolicyDraft,
  removePolicyDraft,
  type StoredPolicyDraft,
} from '@drawbridge/store/policy-drafts'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { checkPolicy, noCases, showCases, showWarnings } from './check-policy.js'
import {
  caseResultsShape,
  casesShape,
  casesShown,
  documentShape,
  liveGrantsShape,
  noteShape,
  placedShape,
  showMistakes,
  warningShape,
} from './policy-shapes.js'
import { publicationRefusals, publicationShape, publishChecked } from './publish-policy.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const tag = 'Policies'
const path = '/tenants/:tenant/policy-drafts'
const revision = z.int().min(1).describe('The one that was looked at: a draft that has changed since is left as it is')
const base = z.int().min(0).describe('The version that it is made from; 0: there was none')

const draftHeading = z.strictObject({
  id: idShape,
  base,
  author: z.string().describe('Whoever changed it last'),
  note: z.string(),
  revision: z.int(),
  createdAt: time,
  changedAt: time,
  keptUntil: time.describe('Thrown away then, unless somebody changes it'),
})
const shownDraft = draftHeading.extend({
  document: z.string(),
  cases: casesShown,
  newest: z.int().describe('The newest version; where it is not `base`, the draft is not published before it is based on it'),
  mistakes: z.array(placedShape).describe('Why it does not compile; none: it does'),
  warnings: z.array(warningShape),
  caseResults: caseResultsShape,
})

const showHeading = (draft: StoredPolicyDraft): z.output<typeof draftHeading> => ({
  id: draft.id,
  base: draft.baseVersion,
  author: draft.author,
  note: draft.note,
  revision: draft.revision,
  createdAt: toIso(draft.createdAt),
  changedAt: toIso(draft.changedAt),
  keptUntil: toIso(draft.expiresAt),
})

async function answerDraft(http: AdminRequest<unknown>, deps: BrokerDeps, draft: StoredPolicyDraft, status = 200): Promise<Answer> {
  const tenant = tenantOf(http)
  const [newest, checked] = await Promise.all([
    inTenant(deps.database, tenant.id, (db) => newestVersion(db, tenant.id)),
    checkPolicy(draft, tenant),
  ])
  const { document, cases } = draft
  const found = checked.ok ? checked.value : { warnings: [], cases: noCases }
  const mistakes = checked.ok ? [] : [...showMistakes(checked.error)]
  const judged = { mistakes, warnings: showWarnings(found.warnings), caseResults: showCases(found.cases) }
  const shown: z.output<typeof shownDraft> = { ...showHeading(draft), document, cases, newest, ...judged }
  return json(shown, { status })
}

/** `undefined`: there is none by that id, or its time is over. */
export async function findDraftOf(http: AdminRequest<unknown, unknown>, deps: BrokerDeps): Promise<StoredPolicyDraft | undefined> {
  const { id: tenant } = tenantOf(http)
  const id = idParam(http)
  return id === undefined ? undefined : inTenant(deps.database, tenant, (db) => findPolicyDraft(db, tenant, id, deps.clock.now()))
}

const list = adminList({
  path,
  tag,
  summary: 'List drafts of the policy, newest first',
  permission: 'configuration:read',
  member: 'policyDrafts',
  shown: draftHeading,
  position: ['before', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listPolicyDrafts(db, id, deps.clock.now(), page))
  },
  show: showHeading,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

/** What a draft begins with where nothing is published. */
const firstDocument = 'version: 1\n'

const create = adminEndpoint({
  method: 'POST',
  path,
  tag,
  summary: 'Begin a draft, on top of the newest version. It may be saved with mistakes; they are shown',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({
    document: documentShape.optional().describe('Left out: that of the newest version'),
    cases: casesShape.optional(),
    note: noteShape,
  }),
  answer: shownDraft,
  refuses: ['policy_drafts_full'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const { document, cases, note } = http.parsed
    const draft = await inTenant(deps.database, tenant, async (db) => {
      const current = await findCurrentPolicy(db, tenant)
      const made = await insertPolicyDraft(db, tenant, {
        id: deps.random.uuid(),
        baseVersion: current?.version ?? 0,
        document: document ?? current?.document ?? firstDocument,
        cases: cases ?? current?.cases ?? '',
        note,
        author: http.caller.key.name,
        now: deps.clock.now(),
      })
      if (made) await audit(db, tenant, http, deps, { kind: 'policy_draft.created', detail: detailOf(made) })
      return made
    })
    return draft ? answerDraft(http, deps, draft, 201) : refuseAdmin('policy_drafts_full')
  },
})

const detailOf = ({ id, baseVersion, revision: made, note }: StoredPolicyDraft) => ({ draft: id, base: baseVersion, revision: made, note })

const read = adminEndpoint({
  method: 'GET',
  path: `${path}/:id`,
  tag,
  summary: 'Read a draft of the policy, with its mistakes, its warnings and which of its test cases hold',
  permission: 'configuration:read',
  answer: shownDraft,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const draft = await findDraftOf(http, deps)
    return draft ? answerDraft(http, deps, draft) : refuseAdmin('not_found')
  },
})

const change = adminEndpoint({
  method: 'PATCH',
  path: `${path}/:id`,
  tag,
  summary: 'Change a draft of the policy, or base it on the newest version; what is left out stays',
  permission: 'configuration:write',
  body: z.strictObject({
    revision,
    document: documentShape.optional(),
    cases: casesShape.optional().describe('Left out: they stay; `cases: []` removes them'),
    note: z.string().max(500).optional(),
    base: base.optional().describe('The newest version, whose changes were looked at'),
  }),
  answer: shownDraft,
  refuses: ['not_found', 'policy_draft_moved', 'policy_moved_on'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const { revision: seen, base: wanted, ...changed } = http.parsed
    const old = await findDraftOf(http, deps)
    if (!old) return refuseAdmin('not_found')
    const draft = await inTenant(deps.database, tenant, async (db) => {
      if (wanted !== undefined && wanted !== (await newestVersion(db, tenant))) return 'policy_moved_on'
      const next = { ...old, ...defined(changed), baseVersion: wanted ?? old.baseVersion }
      const made = await changePolicyDraft(
        db,
        tenant,
        { id: old.id, revision: seen },
        { ...next, author: http.caller.key.name, now: deps.clock.now() },
      )
      if (!made) return 'policy_draft_moved'
      await audit(db, tenant, http, deps, { kind: 'policy_draft.changed', detail: detailOf(made) })
      return made
    })
    return typeof draft === 'string' ? refuseAdmin(draft) : answerDraft(http, deps, draft)
  },
})

const defined = <T extends object>(members: T): Partial<{ [Name in keyof T]: NonNullable<T[Name]> }> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never

const remove = adminEndpoint({
  method: 'DELETE',
  path: `${path}/:id`,
  tag,
  summary: 'Throw a draft of the policy away',
  permission: 'configuration:write',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const draft = idParam(http)
    const isRemoved = await inTenant(deps.database, tenant, async (db) => {
      if (draft === undefined || !(await removePolicyDraft(db, tenant, draft))) return false
      await audit(db, tenant, http, deps, { kind: 'policy_draft.removed', detail: { draft } })
      return true
    })
    return isRemoved ? empty() : refuseAdmin('not_found')
  },
})

const publish = adminEndpoint({
  method: 'POST',
  path: `${path}/:id/publish`,
  tag,
  summary:
    'Publish a draft as the next version, if nothing was published since it was made and its test cases hold; the draft is gone then',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({
    revision,
    note: z.string().max(500).optional().describe('In place of the one of the draft'),
    liveGrants: liveGrantsShape,
  }),
  answer: publicationShape,
  refuses: ['not_found', 'policy_draft_moved', ...publicationRefusals],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const draft = await findDraftOf(http, deps)
    if (!draft) return refuseAdmin('not_found')
    if (draft.revision !== http.parsed.revision) return refuseAdmin('policy_draft_moved')
    return publishChecked(http, deps, {
      document: draft.document,
      // One that never had cases was made before there were any: those that came since stay.
      cases: draft.cases === '' ? undefined : draft.cases,
      note: http.parsed.note ?? draft.note,
      liveGrants: http.parsed.liveGrants,
      base: draft.baseVersion,
      from: { draft: draft.id },
      claim: (db) => lockPolicyDraft(db, tenant, draft),
      conclude: (db) => removePolicyDraft(db, tenant, draft.id),
    })
  },
})

export const policyDraftEndpoints = [list, create, read, change, remove, publish]

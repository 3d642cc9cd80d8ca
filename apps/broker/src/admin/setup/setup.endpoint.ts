/**
 * The set-up pages: a company's IT describes its IdP with a link that is worth nothing but a draft.
 *
 * open (once, by POST) → describe, as often as needed → use: the tenant's first connection at once, any other after approval. What stands
 * between is in the draft; the browser holds a handle. security.md §6
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { lockDraft, markDraft, writeDraft } from '@drawbridge/store/connection-drafts'
import { listConnectionIds } from '@drawbridge/store/connections'
import { exchangeSetupLink, isTokenOfSetupLink, lockLivingSetupLink, lockSetup } from '@drawbridge/store/setup-links'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import { type Endpoint, endpoint, type HttpRequest, tenantOf } from '../../http/endpoint.js'
import { setSetupCookie } from '../../http/setup-cookie.js'
import { activateDraft, keepDraftSeconds } from './activate-draft.js'
import { describeConnection } from './describe-connection.js'
import { readIdpId } from './idp-guides.js'
import { isAnswer, provenSession, refuse, setupCommon, tell, toSteps } from './setup-act.js'
import { setupDomainEndpoints } from './setup-domains.endpoint.js'
import { entryPage, stepsPage } from './setup-pages.js'
import { findSetupSession, type SetupSession } from './setup-session.js'
import { setupTestEndpoints } from './setup-tests.endpoint.js'

/** Metadata of one IdP, as text or as a file; a federation's list is for the admin API. */
const maxFormBytes = 512 * 1024

const show = endpoint({
  ...setupCommon,
  method: 'GET',
  path: '/t/:tenant/setup',
  summary:
    'The page of a set-up link: asks for its code, or shows the steps to whoever has opened it. Opening the address alone does nothing.',
  run: async (http, deps) => {
    const session = await findSetupSession(http, deps)
    const vendor = readIdpId(http.query.ok ? http.query.value['vendor'] : undefined)
    return session ? stepsPage(session, { vendor, now: deps.clock.now() }) : entryPage(tenantOf(http))
  },
})

const tokenShape = /^[A-Za-z0-9_-]{43}$/

/**
 * Whether this browser has opened this very link, and it lives. Whoever clicks it in a mail again comes from another site, without the cookie,
 * and is asked for the code; the form that sends it is ours, and the cookie comes along. Nothing new is given.
 */
async function isOpenHere(http: HttpRequest, deps: BrokerDeps, tokenHash: CredentialHash): Promise<boolean> {
  const session = await findSetupSession(http, deps)
  if (!session) return false
  const { tenant, link } = session
  return inTenant(deps.database, tenant.id, (db) => isTokenOfSetupLink(db, tenant.id, { id: link.id, tokenHash }))
}

const open = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/open',
  summary: 'Exchanges the code of a set-up link, once, for a cookie of this browser.',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const token = (http.form.ok ? http.form.value['token'] : undefined)?.trim() ?? ''
    if (!tokenShape.test(token)) return refuse('setup_link_unusable')
    const handle = deps.random.token()
    const exchange = { tokenHash: hashCredential(token), sessionHash: hashCredential(handle), now: deps.clock.now() }
    const link = await inTenant(deps.database, tenant.id, async (db) => {
      const exchanged = await exchangeSetupLink(db, tenant.id, exchange)
      if (exchanged) await tell(db, deps, http, { link: exchanged, kind: 'setup_link.opened' })
      return exchanged
    })
    if (link) return toSteps(http, [setSetupCookie(deps, tenant, handle)])
    return (await isOpenHere(http, deps, exchange.tokenHash)) ? toSteps(http) : refuse('setup_link_unusable')
  },
})

const describe = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/draft',
  summary: 'Reads what the company’s IT says of its IdP, tells what is wrong with it, and keeps it as a draft.',
  maxBodyBytes: maxFormBytes,
  takesFiles: true,
  run: async (http, deps) => {
    const session = await provenSession(http, deps)
    if (isAnswer(session)) return session
    const { tenant, link, draft } = session
    const limited = http.spend('setup', link.id)
    if (limited) return limited
    const form = http.form.ok ? http.form.value : {}
    const { said, content } = await describeConnection({ form, file: http.files.get('metadataFile') }, session, deps)
    const shown = { said, now: deps.clock.now() }
    if (!content) return stepsPage(session, { ...shown, vendor: readIdpId(form['vendor']), status: 400 })
    const written = await inTenant(deps.database, tenant.id, async (db) => {
      if (!(await lockLivingSetupLink(db, tenant.id, link.id, deps.clock.now()))) return false
      const current = await lockDraft(db, tenant.id, draft.id, deps.clock.now())
      if (current?.revision !== draft.revision) return false
      const done = await writeDraft(db, tenant.id, draft.id, content, deps.clock.now())
      if (done) await tell(db, deps, http, { link, kind: 'connection_draft.saved', name: content.name })
      return done
    })
    const after = written && (await findSetupSession(http, deps))
    return after ? stepsPage(after, shown) : refuse('setup_form_invalid')
  },
})

const use = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/activate',
  summary: 'Makes the draft the tenant’s connection if it has none; else it waits for approval.',
  run: async (http, deps) => {
    const session = await provenSession(http, deps)
    if (isAnswer(session)) return session
    const done = await inTenant(deps.database, session.tenant.id, (db) => useDraft(db, deps, http, session))
    deps.configuration.invalidate(session.tenant.id)
    return done ? toSteps(http) : refuse('setup_form_invalid')
  },
})

/** Under the lock: of two links that are used at once, one makes the first connection, and the other waits. */
async function useDraft(db: Db, deps: BrokerDeps, http: HttpRequest, { tenant, link, draft }: SetupSession): Promise<boolean> {
  await lockSetup(db, tenant.id)
  const now = deps.clock.now()
  if (!(await lockLivingSetupLink(db, tenant.id, link.id, now))) return false
  const current = await lockDraft(db, tenant.id, draft.id, now)
  if (current?.state !== 'draft' || current.revision !== draft.revision || !current.content) return false
  const { name } = current.content
  if ((await listConnectionIds(db, tenant.id)).length > 0) {
    await markDraft(db, tenant.id, draft.id, { state: 'waiting', now, expiresAt: addSeconds(now, keepDraftSeconds) })
    await tell(db, deps, http, { link, kind: 'connection_draft.submitted', name })
    return true
  }
  await activateDraft(db, deps, tenant, current)
  await tell(db, deps, http, { link, kind: 'connection.created', name, connectionId: link.draftId })
  return true
}

export const setupEndpoints: readonly Endpoint[] = [show, open, describe, use, ...setupDomainEndpoints, ...setupTestEndpoints]

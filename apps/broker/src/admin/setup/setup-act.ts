/** What every act on the set-up pages shares: whose session and form it is, and that the trail and the contacts are told of it. */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import { announce } from '@drawbridge/store/announcements'
import { type AuditEvent, insertAuditEvent } from '@drawbridge/store/audit-events'
import { lockLivingSetupLink, lockSetup, type SetupLink } from '@drawbridge/store/setup-links'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import { type Answer, redirect } from '../../http/answer.js'
import { type HttpRequest, tenantOf } from '../../http/endpoint.js'
import { refuseAsPage } from '../../http/write-error.js'
import { type AdminErrorReason, adminErrors } from '../error.js'
import { findSetupSession, isProven, type SetupSession } from './setup-session.js'

export const setupCommon = { spec: 'ours', tag: 'Set-up', refusals: 'page', rateLimit: 'login' } as const

export const refuse = (reason: AdminErrorReason): Answer => refuseAsPage(adminErrors[reason], { reason })

export const toSteps = (http: HttpRequest, setCookies: readonly string[] = []): Answer =>
  redirect(`${tenantOf(http).issuer.url}/setup`, { setCookies, headers: { 'cache-control': 'no-store' } })

type SetupAct = {
  readonly link: Pick<SetupLink, 'id' | 'draftId' | 'note'>
  readonly kind: AuditEventKind
  /** What it is done to, as the contacts read it; of a connection that is one already, its name is found. */
  readonly name?: string
  readonly connectionId?: string | undefined
  readonly detail?: AuditEvent['detail']
}

/** Acts of a link are in the trail, and told to the contacts, as an admin's are. */
export async function tell(
  db: Db,
  deps: BrokerDeps,
  http: HttpRequest,
  { link, kind, name, connectionId, detail }: SetupAct,
): Promise<void> {
  const { id: tenant } = tenantOf(http)
  const { requestId, address } = http
  const at = deps.clock.now()
  const told = { ...detail, setupLink: link.id, draft: link.draftId, ...(name !== undefined && { name }) }
  await insertAuditEvent(db, tenant, { at, kind, connectionId, detail: told, requestId, address })
  const by = { keyName: `set-up link: ${link.note}`, isVendor: false, isLink: true, address } as const
  await announce(db, tenant, { at, kind, about: name, by }, { connectionId })
}

/** The session of a POST, whose form must have been shown to this browser for the draft as it stands. */
export async function provenSession(http: HttpRequest, deps: BrokerDeps): Promise<SetupSession | Answer> {
  const session = await findSetupSession(http, deps)
  if (!session) return refuse('setup_link_unusable')
  return http.form.ok && isProven(deps, session, http.form.value['proof']) ? session : refuse('setup_form_invalid')
}
export const isAnswer = (value: SetupSession | Answer): value is Answer => 'kind' in value

/** Whether the link lives now, and until this transaction ends; nobody else changes what set-up pages may make meanwhile. */
export async function staysAlive(db: Db, deps: BrokerDeps, { tenant, link }: SetupSession): Promise<boolean> {
  await lockSetup(db, tenant.id)
  return lockLivingSetupLink(db, tenant.id, link.id, deps.clock.now())
}

/** A line of the catalogue as a sentence of a page. */
export const sentence = (say: string): string => `${say.charAt(0).toUpperCase()}${say.slice(1)}.`

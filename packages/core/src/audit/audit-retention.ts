/**
 * How long lines of the audit trail are kept. Unless an admin chooses otherwise: for ever.
 *
 * Two classes: what everyday use writes, a line or more for each token, and everything else. What says that lines were ended, and that somebody chose so, is in
 * neither: it stays.
 */
import { z } from 'zod'
import type { AuditEventKind } from './audit-event.js'

/** The sign-in and the grant behind a token are told apart from these, and kept as long as everything else. */
export const everydayAuditKinds = [
  'assertion_redeemed',
  'authorization_request_pushed',
  'client_token_issued',
  'code_redeemed',
  'id_jag_issued',
  'token_exchanged',
  'token_refresh_repeated',
  'token_refreshed',
  'tenant_chosen',
] as const satisfies readonly AuditEventKind[]

export const keptAuditKinds = ['audit_events.ended', 'tenant.audit_retention_changed'] as const satisfies readonly AuditEventKind[]

/** As whoever looks into an incident needs; and what an audit of a year looks at, with a month to do it in. */
export const leastAuditDays = { everyday: 30, others: 400 } as const
const mostAuditDays = 36_500

const days = (least: number) => z.int().min(least).max(mostAuditDays).nullable()

/** `null`: for ever. */
export const auditRetentionShape = z.strictObject({
  everydayDays: days(leastAuditDays.everyday).describe('What everyday use writes, a line or more for each token. Null: for ever'),
  otherDays: days(leastAuditDays.others).describe('Everything else. Null: for ever'),
})
export type AuditRetention = z.output<typeof auditRetentionShape>
export type AuditClass = 'everyday' | 'others'

/** Nothing is ended sooner than this after somebody chose so: contacts have been told, and may export or object. */
export const auditChoiceWaitsSeconds = 7 * 86_400

/**
 * A second factor of our own: when it is asked for, who has one, a code to enrol the first, and the way back of whoever has lost hers.
 *
 * Whoever makes a code or resets decides who may prove to be somebody, so it is `impersonate`, and the contacts are told. docs/adr/0034
 */
import {
  enrolmentCodeLength,
  enrolmentProofs,
  type Factor,
  factorKinds,
  factorLimits,
  noSecondFactor,
  privilegedFrom,
  secondFactorFromJson,
  secondFactorShape,
} from '@drawbridge/core/factor/second-factor'
import { isPlainAddress, isVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { readableCodeOf, showReadableCode } from '@drawbridge/core/readable-code'
import type { DeprovisioningEventId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { tellPerson } from '@drawbridge/store/announcements'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { insertFactorCode } from '@drawbridge/store/factor-codes'
import { findClaimsOfSubject, holdSubject, listFactors, removeFactors } from '@drawbridge/store/factors'
import { findSecondFactor, markSecondFactor } from '@drawbridge/store/tenants'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type AdminRequest, actOf, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Second factor'

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/second-factor',
  tag,
  summary: 'Read when a second factor of ours is asked for beside the sign-in at the IdP',
  permission: 'configuration:read',
  answer: secondFactorShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const stored = await inTenant(deps.database, id, (db) => findSecondFactor(db, id))
    return json(stored === undefined ? noSecondFactor : secondFactorFromJson(stored))
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/second-factor',
  tag,
  summary: 'Choose when a second factor of ours is asked for; what people have enrolled stays, whatever is chosen',
  permission: 'impersonate',
  body: secondFactorShape,
  answer: secondFactorShape,
  refuses: ['reference_unknown'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const chosen = http.parsed
    if (chosen.cannotProve.some((connection) => tenant.connection(connection) === undefined)) return refuseAdmin('reference_unknown')
    await inTenant(deps.database, tenant.id, async (db) => {
      await markSecondFactor(db, tenant.id, chosen)
      await audit(db, tenant.id, http, deps, { kind: 'tenant.second_factor_changed', detail: chosen })
    })
    return json(chosen)
  },
})

const shown = z.strictObject({
  id: idShape,
  subjectId: idShape,
  kind: z.enum(factorKinds),
  name: z.string(),
  enrolledBy: z.enum(enrolmentProofs).describe('What allowed it: a code of an admin, several factors at the IdP, or another factor'),
  rpId: z.string().nullable().describe('Of a passkey: where it works'),
  createdAt: time,
  usedAt: timeOrNull,
})
const show = ({ enrolledIn: _request, createdAt, usedAt, rpId, ...factor }: Factor): z.output<typeof shown> => ({
  ...factor,
  rpId: rpId ?? null,
  createdAt: toIso(createdAt),
  usedAt: toIsoOrNull(usedAt),
})

const list = adminList({
  path: '/tenants/:tenant/factors',
  tag,
  summary: 'List the second factors that people have here, newest first; nothing that proves one is shown',
  permission: 'audit:read',
  member: 'factors',
  shown,
  position: ['before', 'moment'],
  filters: { subjectId: z.uuid().optional().describe('Of this person') },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listFactors(db, id, http.asked.subjectId, page))
  },
  show,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const code = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/subjects/:id/factor-codes',
  tag,
  summary: 'Make the one-time code with which a person enrols her first factor; shown once, and worth nothing to anybody else',
  permission: 'impersonate',
  status: 201,
  answer: z.strictObject({
    id: idShape,
    subjectId: idShape,
    code: z.string().describe('Tell it to her by another way than the one she signs in by, once you know that it is she'),
    expiresAt: time,
  }),
  refuses: ['not_found', 'second_factor_off', 'factor_enrolled', 'factor_codes_enough'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const subjectId = idParam<SubjectId>(http)
    if (subjectId === undefined) return refuseAdmin('not_found')
    if (tenant.secondFactor.mode === 'off') return refuseAdmin('second_factor_off')
    const now = deps.clock.now()
    const text = readableCodeOf(deps.random.bytes(enrolmentCodeLength), enrolmentCodeLength)
    const made = { id: deps.random.uuid(), subjectId, expiresAt: addSeconds(now, factorLimits.codeSeconds) }
    const outcome = await inTenant(deps.database, tenant.id, async (db) => {
      const inserted = await insertFactorCode(db, tenant.id, { ...made, codeHash: hashCredential(text), now })
      if (inserted === 'made')
        await audit(db, tenant.id, http, deps, { kind: 'second_factor.code_created', subjectId, detail: { code: made.id } })
      return inserted
    })
    if (outcome === 'subject_unknown') return refuseAdmin('not_found')
    if (outcome === 'codes_enough') return refuseAdmin('factor_codes_enough')
    if (outcome !== 'made') return refuseAdmin(outcome)
    return json({ ...made, code: showReadableCode(text), expiresAt: toIso(made.expiresAt) }, { status: 201 })
  },
})

const reason = z.strictObject({ reason: z.string().trim().min(1).max(300).describe('For the audit trail and the receipt') })

const reset = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/subjects/:id/factors/reset',
  tag,
  summary: 'Take every factor of a person away; what was issued to her until now is dead, and what is privileged waits a day',
  permission: 'impersonate',
  body: reason,
  answer: z.strictObject({
    subjectId: idShape,
    eventId: idShape.describe('Of the receipt'),
    epoch: z.int(),
    removed: z.int().describe('How many factors she had'),
    privilegedFrom: time.describe('Before that nothing of tier admin is granted her'),
    personTold: z.boolean().describe('False: there is no verified address of hers, or the tenant has had enough people told today'),
  }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const subjectId = idParam<SubjectId>(http)
    if (subjectId === undefined) return refuseAdmin('not_found')
    const now = deps.clock.now()
    const done = await inTenant(deps.database, tenant.id, async (db) =>
      (await holdSubject(db, tenant.id, subjectId, undefined)) ? resetFactors(db, { http, deps, tenant, subjectId, now }) : undefined,
    )
    return done ? json({ subjectId, ...done, privilegedFrom: toIso(privilegedFrom(now) as Instant) }) : refuseAdmin('not_found')
  },
})

type Resetting = {
  readonly http: AdminRequest<z.output<typeof reason>>
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly subjectId: SubjectId
  readonly now: Instant
}

/** The barrier first: whoever is enrolling at this moment has waited for it, and finds herself below it. */
async function resetFactors(db: Db, { http, deps, tenant, subjectId, now }: Resetting) {
  const eventId = deps.random.uuid() as DeprovisioningEventId
  const { reason: why } = http.parsed
  const { epoch } = await deprovision(db, {
    ...{ tenant: tenant.id, eventId, source: 'admin', target: 'subject', targetId: subjectId, reason: why, toldAt: undefined, now },
    requestId: http.requestId,
  })
  const removed = await removeFactors(db, tenant.id, subjectId, now)
  const event = { kind: 'second_factor.reset', subjectId, reason: why, detail: { eventId, removed } } as const
  await audit(db, tenant.id, http, deps, event)
  const to = await addressOf(db, tenant, subjectId)
  const personTold = to !== undefined && (await tellPerson(db, tenant.id, to, actOf(http, event, now)))
  return { eventId, epoch, removed, personTold }
}

/** An address in a domain that the tenant has proven; the IdP's word on it is not enough to write to. */
async function addressOf(db: Db, tenant: ResolvedTenant, subjectId: SubjectId) {
  const identity = identityFromJson(await findClaimsOfSubject(db, tenant.id as TenantId, subjectId))
  const email = identity.ok ? identity.value.claims.get('email') : undefined
  if (!identity.ok || typeof email !== 'string' || !isPlainAddress(email)) return undefined
  const name = identity.value.claims.get('name')
  if (!isVerifiedAddress(email, identity.value.connectionId, tenant.domains)) return undefined
  return { name: typeof name === 'string' && name !== '' ? name : email, email: email.trim() }
}

export const secondFactorEndpoints = [read, choose, list, code, reset]

/** A normalised identity as JSON, for the row of the subject and for a refresh that must decide again. Reading never throws. */
import { z } from 'zod'
import { instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { ConnectionId, SubjectId } from '../tenant/ids.js'
import { beyondLimits, type IdpSession, type NormalizedIdentity } from './normalized-identity.js'

export type IdentityJson = z.infer<typeof wire>

const text = z.string()
const optional = text.nullable()
const idpSessionWire = z.strictObject({
  sessionIndex: optional,
  nameId: z.strictObject({ value: text, format: optional, nameQualifier: optional, spNameQualifier: optional }).nullable(),
  sid: optional,
  /** Absent in what was written before it was kept. */
  subject: z.strictObject({ issuer: text, sub: text }).nullable().optional(),
})
const wire = z.strictObject({
  connectionId: text,
  stableId: text,
  subjectId: optional,
  claims: z.array(z.tuple([text, z.union([text, z.number(), z.boolean(), z.array(text)])])),
  /** Written only where there are some. Whoever does not know it refuses the whole: it would take what is unknown for absent. */
  unknownClaims: z.array(text).optional(),
  groups: z.discriminatedUnion('state', [
    z.strictObject({ state: z.literal('known'), value: z.array(text) }),
    z.strictObject({ state: z.literal('absent') }),
    z.strictObject({ state: z.literal('unknown'), beyond: z.enum(beyondLimits).optional() }),
  ]),
  authentication: z.strictObject({ acr: optional, amr: z.array(text), authenticatedAt: z.number().int().nullable() }),
  sessionExpiresAt: z.number().int().nullable(),
  idpSession: idpSessionWire,
})

/** Claims become pairs: a claim called `__proto__` stays an ordinary one. */
export function identityToJson(identity: NormalizedIdentity): IdentityJson {
  const { nameId } = identity.idpSession
  return {
    connectionId: identity.connectionId,
    stableId: identity.stableId,
    subjectId: identity.subjectId ?? null,
    claims: [...identity.claims].map(([name, value]) => [name, typeof value === 'object' ? [...value] : value]),
    ...(identity.unknownClaims && identity.unknownClaims.size > 0 && { unknownClaims: [...identity.unknownClaims] }),
    groups: identity.groups.state === 'known' ? { state: 'known', value: [...identity.groups.value] } : identity.groups,
    authentication: {
      acr: identity.authentication.acr ?? null,
      amr: [...identity.authentication.amr],
      authenticatedAt: identity.authentication.authenticatedAt ?? null,
    },
    sessionExpiresAt: identity.sessionExpiresAt ?? null,
    idpSession: {
      sessionIndex: identity.idpSession.sessionIndex ?? null,
      nameId:
        nameId === undefined
          ? null
          : {
              value: nameId.value,
              format: nameId.format ?? null,
              nameQualifier: nameId.nameQualifier ?? null,
              spNameQualifier: nameId.spNameQualifier ?? null,
            },
      sid: identity.idpSession.sid ?? null,
      subject: identity.idpSession.subject ?? null,
    },
  }
}

export function identityFromJson(json: unknown): Result<NormalizedIdentity, 'identity_json_malformed'> {
  const parsed = wire.safeParse(json)
  if (!parsed.success) return err('identity_json_malformed')
  return ok({ ...toIdentity(parsed.data), idpSession: toIdpSession(parsed.data.idpSession) })
}

const toIdentity = (json: Omit<IdentityJson, 'idpSession'>): Omit<NormalizedIdentity, 'idpSession'> => ({
  connectionId: json.connectionId as ConnectionId,
  stableId: json.stableId,
  subjectId: (json.subjectId ?? undefined) as SubjectId | undefined,
  claims: new Map(json.claims),
  ...(json.unknownClaims && { unknownClaims: new Set(json.unknownClaims) }),
  groups: json.groups,
  authentication: {
    acr: json.authentication.acr ?? undefined,
    amr: json.authentication.amr,
    authenticatedAt: atOf(json.authentication.authenticatedAt),
  },
  sessionExpiresAt: atOf(json.sessionExpiresAt),
})

/**
 * What a record keeps of it: all but the handles of the session at the IdP, which are no claims, and by which a logout could name it. That
 * she proved a second factor of ours is of this grant alone, so no other JSON of an identity has it.
 */
export const recordedIdentity = wire
  .omit({ idpSession: true })
  .extend({ ownFactor: z.strictObject({ methods: z.array(text), provedAt: z.int() }).nullable() })
export type RecordedIdentity = z.infer<typeof recordedIdentity>

export function toRecordedIdentity(identity: NormalizedIdentity): RecordedIdentity {
  const { idpSession: _handles, ...recorded } = identityToJson(identity)
  const { ownFactor } = identity.authentication
  return { ...recorded, ownFactor: ownFactor === undefined ? null : { ...ownFactor, methods: [...ownFactor.methods] } }
}

export function fromRecordedIdentity({ ownFactor, ...recorded }: RecordedIdentity): NormalizedIdentity {
  const identity = toIdentity(recorded)
  const proof = ownFactor === null ? undefined : { methods: ownFactor.methods, provedAt: instant(ownFactor.provedAt) }
  return {
    ...identity,
    authentication: { ...identity.authentication, ...(proof && { ownFactor: proof }) },
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  }
}

/** The part of it that a browser session keeps, to name the session at the IdP by. */
export function idpSessionFromJson(json: unknown): Result<IdpSession, 'idp_session_malformed'> {
  const parsed = idpSessionWire.safeParse(json)
  return parsed.success ? ok(toIdpSession(parsed.data)) : err('idp_session_malformed')
}

const toIdpSession = ({ nameId, sessionIndex, sid, subject }: z.infer<typeof idpSessionWire>): IdpSession => ({
  sessionIndex: sessionIndex ?? undefined,
  nameId:
    nameId === null
      ? undefined
      : {
          value: nameId.value,
          format: nameId.format ?? undefined,
          nameQualifier: nameId.nameQualifier ?? undefined,
          spNameQualifier: nameId.spNameQualifier ?? undefined,
        },
  sid: sid ?? undefined,
  subject: subject ?? undefined,
})

const atOf = (milliseconds: number | null) => (milliseconds === null ? undefined : instant(milliseconds))

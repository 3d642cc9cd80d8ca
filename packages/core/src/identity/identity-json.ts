/** A normalised identity as JSON, for the row of the subject and for a refresh that must decide again. Reading never throws. */
import { z } from 'zod'
import { instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { ConnectionId, SubjectId } from '../tenant/ids.js'
import type { IdpSession, NormalizedIdentity } from './normalized-identity.js'

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
  groups: z.discriminatedUnion('state', [
    z.strictObject({ state: z.literal('known'), value: z.array(text) }),
    z.strictObject({ state: z.literal('absent') }),
    z.strictObject({ state: z.literal('unknown') }),
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
  const { authentication } = parsed.data
  return ok({
    connectionId: parsed.data.connectionId as ConnectionId,
    stableId: parsed.data.stableId,
    subjectId: (parsed.data.subjectId ?? undefined) as SubjectId | undefined,
    claims: new Map(parsed.data.claims),
    groups: parsed.data.groups,
    authentication: {
      acr: authentication.acr ?? undefined,
      amr: authentication.amr,
      authenticatedAt: atOf(authentication.authenticatedAt),
    },
    sessionExpiresAt: atOf(parsed.data.sessionExpiresAt),
    idpSession: toIdpSession(parsed.data.idpSession),
  })
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

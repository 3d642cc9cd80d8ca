/**
 * A login as it is recorded for policies to be tried on: everything that the decision depended on, and what was decided.
 *
 * Claims that the mapping made, and never what they were made from: no assertion, no token, and no handle of the session at the IdP, by which
 * somebody could be signed out. Of the resource's scopes it holds those that the request was about, which are all that a decision reads.
 * Reading never throws.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { fromRecordedIdentity, recordedIdentity, toRecordedIdentity } from '../identity/identity-json.js'
import { traceLimits } from '../identity/login-trace.js'
import { type Instant, instant } from '../instant.js'
import type { AuthorizationRequestId, ClientId, RecordedLoginId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import { requestedScopes } from './decide.js'
import { type PolicyDecision, sensitivityTiers } from './decision.js'
import { clientKinds, type PolicyInput } from './input.js'

export const recordedLoginLimits = {
  /** As long as the trace of a login that failed. */
  keptSeconds: traceLimits.keptSeconds,
  /** Of one tenant: the newest. */
  perTenant: 2_000,
  /** Of one login, before it is sealed; a larger one is not recorded. A thousand groups by their ids are some forty thousand. */
  octets: 65_536,
  /** Logins that wait to be written, in one process. What comes while so many wait is not recorded. */
  waiting: 1_000,
  /** Logins that one statement writes. */
  perWrite: 100,
} as const

const text = z.string()
const optional = text.nullable()
const at = z.int()
const seconds = z.number().nullable()

export const recordedLogin = z.strictObject({
  at,
  identity: recordedIdentity,
  deactivatesAt: at.nullable(),
  privilegedFrom: at.nullable(),
  client: z.strictObject({
    id: text,
    host: optional,
    kind: z.enum(clientKinds),
    attested: z.boolean(),
    scopeCeiling: z.array(text),
    accessTokenTtlSeconds: seconds,
  }),
  resource: z.strictObject({
    identifier: text,
    scopes: z.array(z.strictObject({ name: text, tier: z.enum(sensitivityTiers), isDefault: z.boolean() })),
    accessTokenTtlSeconds: seconds,
  }),
  request: z.strictObject({ scopes: z.array(text), stepUpsDone: z.int(), address: optional, country: optional }),
  session: z.strictObject({ startedAt: at, isOwn: z.boolean(), grantedAt: at.nullable() }),
  decision: z.strictObject({
    kind: z.enum(['allow', 'stepUp', 'deny']),
    scopes: z.array(text),
    reason: optional,
    accessTokenSeconds: seconds,
    refreshTokenSeconds: seconds,
  }),
})
export type RecordedLogin = z.infer<typeof recordedLogin>

/** One for a request and for each time that a second factor was asked for in it. It names nothing that a browser could present. */
export function recordedLoginId(request: AuthorizationRequestId, stepUpsDone: number): RecordedLoginId {
  const octets = createHash('sha256').update(`recorded login of ${request}, step-ups ${stepUpsDone}`).digest().subarray(0, 16)
  octets.writeUInt8((octets.readUInt8(6) & 0x0f) | 0x80, 6) // RFC 9562 §5.8: of a form of our own
  octets.writeUInt8((octets.readUInt8(8) & 0x3f) | 0x80, 8)
  return octets.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') as RecordedLoginId
}

/** What must be written of every value, so that a new fact of a decision cannot be forgotten here. */
type Whole<T> = { readonly [Fact in keyof Required<T>]: unknown }

export function recordLogin(input: PolicyInput, decision: PolicyDecision): RecordedLogin {
  const { client, resource, request, session } = input
  const asked = new Set(requestedScopes(input))
  const facts = {
    identity: toRecordedIdentity(input.identity),
    deactivatesAt: input.deactivatesAt ?? null,
    privilegedFrom: input.privilegedFrom ?? null,
    client: {
      id: client.id,
      host: client.host ?? null,
      kind: client.kind,
      attested: client.attested ?? false,
      scopeCeiling: [...client.scopeCeiling],
      accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? null,
    } satisfies Whole<PolicyInput['client']>,
    resource: {
      identifier: resource.identifier,
      scopes: resource.scopes.filter(({ name }) => asked.has(name)).map(({ name, tier, isDefault }) => ({ name, tier, isDefault })),
      accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? null,
    } satisfies Whole<PolicyInput['resource']>,
    request: {
      scopes: [...request.scopes],
      stepUpsDone: request.stepUpsDone,
      address: request.address ?? null,
      country: request.country ?? null,
    } satisfies Omit<Whole<PolicyInput['request']>, 'kind'>,
    session: {
      startedAt: session.startedAt,
      isOwn: session.isOwn ?? false,
      grantedAt: session.grantedAt ?? null,
    } satisfies Omit<Whole<PolicyInput['session']>, 'consentedAt' | 'freshAt'>, // a record is of a new grant to whoever is here, and of what it is without an earlier yes
  } satisfies Omit<Whole<PolicyInput>, 'now'>
  return { at: input.now, ...facts, decision: decided(decision) }
}

const decided = (decision: PolicyDecision): RecordedLogin['decision'] =>
  decision.kind === 'allow'
    ? {
        kind: 'allow',
        scopes: [...decision.scopes],
        reason: null,
        accessTokenSeconds: decision.accessTokenTtl.seconds,
        refreshTokenSeconds: decision.refreshTokenTtl?.seconds ?? null,
      }
    : {
        kind: decision.kind,
        scopes: [],
        reason: decision.kind === 'deny' ? decision.reason : decision.demand,
        accessTokenSeconds: null,
        refreshTokenSeconds: null,
      }

/** What the decision was made on, and can be made on again: with the time of the record, as a new grant. */
export function inputOfRecord({ identity, client, resource, request, session, ...record }: RecordedLogin): PolicyInput {
  return {
    identity: fromRecordedIdentity(identity),
    deactivatesAt: atOf(record.deactivatesAt),
    privilegedFrom: atOf(record.privilegedFrom),
    client: {
      id: client.id as ClientId,
      host: client.host ?? undefined,
      kind: client.kind,
      attested: client.attested,
      scopeCeiling: client.scopeCeiling as Scope[],
      accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? undefined,
    },
    resource: {
      identifier: resource.identifier as ResourceIdentifier,
      scopes: resource.scopes.map((scope) => ({ ...scope, name: scope.name as Scope, description: '' })),
      accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? undefined,
    },
    request: {
      scopes: request.scopes as Scope[],
      stepUpsDone: request.stepUpsDone,
      kind: 'new_grant',
      address: request.address ?? undefined,
      country: request.country ?? undefined,
    },
    session: { startedAt: instant(session.startedAt), isOwn: session.isOwn, grantedAt: atOf(session.grantedAt) },
    now: instant(record.at),
  }
}

const atOf = (milliseconds: number | null): Instant | undefined => (milliseconds === null ? undefined : instant(milliseconds))

/** `undefined`: written by a version that we do not understand. */
export function recordedLoginFromText(written: string): RecordedLogin | undefined {
  try {
    const parsed = recordedLogin.safeParse(JSON.parse(written))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** How a diagnosis, a change and a source of metadata look in the answers of the admin API. */
import type { StoredMetadataSource } from '@drawbridge/store/metadata-sources'
import type { MetadataChange } from '@drawbridge/upstream/saml/metadata-changes'
import type { Diagnosis } from '@drawbridge/upstream/saml/metadata-diagnosis'
import { type MetadataFinding, metadataFindings } from '@drawbridge/upstream/saml/metadata-findings'
import { presetFor, vendorOf } from '@drawbridge/upstream/saml/metadata-vendors'
import { z } from 'zod'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const endpoint = z.strictObject({ binding: z.enum(['redirect', 'post', 'other']), url: z.string() })
const finding = z.strictObject({
  code: z.string(),
  severity: z.enum(['error', 'warning', 'notice']).describe('An error keeps the metadata from being used'),
  cause: z.string(),
  remedy: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
})
export const shownDiagnosis = z.strictObject({
  digest: z.string().describe('Names the document; an apply sends it back'),
  usable: z.boolean(),
  vendor: z.strictObject({ id: z.string(), name: z.string(), stableId: z.string().describe('Which attribute never changes') }).nullable(),
  entities: z.array(z.string()).describe('Entity IDs of the IdPs in the document'),
  entityId: z.string().nullable(),
  signIn: z.array(endpoint),
  signOut: z.array(endpoint),
  nameIdFormats: z.array(z.string()),
  validUntil: timeOrNull,
  signature: z
    .enum(['absent', 'unchecked', 'intact', 'verified'])
    .nullable()
    .describe('intact: by the certificate that it carries, which is no proof of origin'),
  signedBy: z.string().nullable().describe('Fingerprint of the certificate that an intact document carries'),
  certificates: z.array(
    z.strictObject({ fingerprint: z.string(), subject: z.string(), notBefore: time, notAfter: time, daysLeft: z.number().int() }),
  ),
  findings: z.array(finding),
  preset: z.record(z.string(), z.unknown()).describe('Proposed members of the configuration; what is written wins over them'),
})

export const showFinding = ({ code, detail }: MetadataFinding): z.output<typeof finding> => {
  const { severity, cause, remedy } = metadataFindings[code]
  return { code, severity, cause, remedy, ...(detail && { detail: { ...detail } }) }
}

export function showDiagnosis(seen: Diagnosis): z.output<typeof shownDiagnosis> {
  const { facts, vendor } = seen
  const endpoints = (list: NonNullable<typeof facts>['signIn'] = []) => list.map(({ binding, url }) => ({ binding, url }))
  return {
    digest: seen.digest,
    usable: seen.configuration !== undefined,
    vendor: vendor === undefined ? null : { id: vendor, name: vendorOf(vendor).name, stableId: vendorOf(vendor).stableId },
    entities: [...seen.entities],
    entityId: facts?.entityId ?? null,
    signIn: endpoints(facts?.signIn),
    signOut: endpoints(facts?.signOut),
    nameIdFormats: [...(facts?.nameIdFormats ?? [])],
    validUntil: typeof facts?.validUntil === 'number' ? toIso(facts.validUntil) : null,
    signature: seen.signature ?? null,
    signedBy: seen.signedBy ?? null,
    certificates: seen.certificates.map(({ fingerprint, subject, notBefore, notAfter, daysLeft }) => {
      return { fingerprint, subject, notBefore: toIso(notBefore), notAfter: toIso(notAfter), daysLeft }
    }),
    findings: seen.findings.map(showFinding),
    preset: presetFor(vendor, facts?.wantsSignedRequests ?? false),
  }
}

const moved = z.strictObject({ from: z.string().nullable(), to: z.string() }).nullable()
const named = z.array(z.strictObject({ fingerprint: z.string(), subject: z.string(), notAfter: time }))
export const shownChange = z.strictObject({
  entityId: moved,
  ssoUrl: moved,
  ssoBinding: moved,
  sloUrl: moved,
  sloResponseUrl: moved,
  sloBinding: moved,
  sloIssuer: moved,
  certificates: z.strictObject({ added: named, removed: named, kept: z.array(z.string()) }),
})
export const showChange = ({ certificates, ...others }: MetadataChange): z.output<typeof shownChange> => ({
  entityId: others.entityId ?? null,
  ssoUrl: others.ssoUrl ?? null,
  ssoBinding: others.ssoBinding ?? null,
  sloUrl: others.sloUrl ?? null,
  sloResponseUrl: others.sloResponseUrl ?? null,
  sloBinding: others.sloBinding ?? null,
  sloIssuer: others.sloIssuer ?? null,
  certificates: { added: [...certificates.added], removed: [...certificates.removed], kept: [...certificates.kept] },
})

export const shownSource = z.strictObject({
  url: z.string().nullable().describe('null: given by hand, and never fetched'),
  pinnedCertificates: z.array(z.string()),
  signedBy: z
    .string()
    .nullable()
    .describe('Fingerprint of who signed the document in use, where none is pinned: a refresh by anybody else waits'),
  outcome: z.enum(['never', 'unchanged', 'changed', 'held', 'failed']),
  outcomeReason: z.string().nullable(),
  fetchedAt: timeOrNull,
  succeededAt: timeOrNull,
  nextFetchAt: timeOrNull,
  failures: z.number().int(),
  heldChange: z.unknown().describe('What the document that waits for an admin would change'),
  withdrawnCertificates: z.array(z.strictObject({ fingerprint: z.string(), since: time })).describe('Trusted still, listed no more'),
})
export const showSource = (source: StoredMetadataSource): z.output<typeof shownSource> => ({
  url: source.url ?? null,
  pinnedCertificates: [...source.pinnedCertificates],
  signedBy: source.signedBy ?? null,
  outcome: source.outcome,
  outcomeReason: source.outcomeReason ?? null,
  fetchedAt: toIsoOrNull(source.fetchedAt),
  succeededAt: toIsoOrNull(source.succeededAt),
  nextFetchAt: toIsoOrNull(source.nextFetchAt),
  failures: source.failures,
  heldChange: source.heldChange ?? null,
  withdrawnCertificates: source.withdrawn.map(({ fingerprint, at }) => ({ fingerprint, since: toIso(at) })),
})

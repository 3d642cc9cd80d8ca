/** Metadata as an admin gives it: a document or its address, with the certificates that must have signed it. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { MetadataSourceDraft, WithdrawnCertificate } from '@drawbridge/store/metadata-sources'
import { toUsablePem } from '@drawbridge/upstream/connection-configuration'
import { isPublic } from '@drawbridge/upstream/public-addresses'
import { type Diagnosis, diagnose } from '@drawbridge/upstream/saml/metadata-diagnosis'
import { fetchMetadata } from '@drawbridge/upstream/saml/metadata-fetch'
import { type MetadataFinding, metadataFindings } from '@drawbridge/upstream/saml/metadata-findings'
import { overlapEndOf } from '@drawbridge/upstream/saml/metadata-rollover'
import { drawChance, nextLookAt } from '@drawbridge/upstream/saml/metadata-schedule'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { refuseAdmin } from './refuse-admin.js'

const metadataMaxLength = 900_000
export const mostPinned = 4
export const metadataMembers = {
  metadataXml: z.string().max(metadataMaxLength).optional().describe('SAML: the IdP’s metadata document'),
  metadataUrl: z.string().max(2048).optional().describe('SAML: where it is; looked at again by itself. Or the document, not both'),
  entityId: z.string().max(1024).optional().describe('SAML: which entity of the metadata, when it holds several'),
  pinnedCertificates: z
    .array(z.string().max(16_384))
    .max(mostPinned)
    .default([])
    .describe('SAML: certificates that must have signed the metadata; none: https vouches for it'),
}
const metadataGiven = z.strictObject(metadataMembers)
export type MetadataGiven = z.output<typeof metadataGiven>

export type ReadMetadata = {
  readonly diagnosis: Diagnosis
  /** What is kept of where it came from, once it is applied. */
  readonly source: Pick<MetadataSourceDraft, 'url' | 'pinnedCertificates' | 'etag' | 'digest' | 'signedBy'>
}

/** Fetches where an address is given. The diagnosis may be of a document that cannot be used. */
export async function readGivenMetadata(given: MetadataGiven, deps: BrokerDeps): Promise<Result<ReadMetadata, Answer>> {
  const { metadataXml, metadataUrl: url, entityId } = given
  if ((metadataXml === undefined) === (url === undefined))
    return err(refuseAdmin('metadata_invalid', [{ path: 'metadataXml', message: 'give either metadataXml or metadataUrl' }]))
  const pinned = given.pinnedCertificates.map(toUsablePem)
  const unusable = pinned.indexOf(undefined)
  if (unusable !== -1)
    return err(refuseAdmin('metadata_invalid', [{ path: `pinnedCertificates.${unusable}`, message: 'connection_certificate_invalid' }]))
  const pinnedCertificates = pinned as readonly string[]
  const got = url === undefined ? ok({ document: metadataXml as string, etag: undefined }) : await getDocument(deps, url)
  if (!got.ok) return err(refuseFindings([got.error], 'metadataUrl'))
  const diagnosis = diagnose(got.value.document, {
    now: deps.clock.now(),
    entityId,
    pinned: pinnedCertificates,
    url,
    isPublic: isPublic(deps.settings.publicUrl),
  })
  return ok({
    diagnosis,
    source: { url, pinnedCertificates, etag: got.value.etag, digest: diagnosis.digest, signedBy: diagnosis.signedBy },
  })
}

async function getDocument(
  deps: BrokerDeps,
  url: string,
): Promise<Result<{ document: string; etag: string | undefined }, MetadataFinding>> {
  const fetched = await fetchMetadata(deps.fetchSafely, url)
  if (!fetched.ok) return fetched
  return fetched.value.kind === 'document' ? ok(fetched.value) : err({ code: 'url_status', detail: { status: 304 } })
}

/** Each in a sentence: what it is and what helps. */
export const refuseFindings = (findings: readonly MetadataFinding[], path: string): Answer =>
  refuseAdmin(
    'metadata_invalid',
    findings.map((finding) => ({
      path,
      message: `${finding.code}: ${metadataFindings[finding.code].cause} ${metadataFindings[finding.code].remedy}`,
    })),
  )

/** When the worker looks next: at the address, or at the end of an overlap. Undefined: there is nothing to do. */
export function firstLookAt(deps: BrokerDeps, url: string | undefined, withdrawn: readonly WithdrawnCertificate[]) {
  const now = deps.clock.now()
  if (url !== undefined) return nextLookAt(now, 0, drawChance(deps.random))
  const ends = withdrawn.map(({ at }) => overlapEndOf(at))
  return ends.length === 0 ? undefined : ends.reduce((one, other) => (one < other ? one : other))
}

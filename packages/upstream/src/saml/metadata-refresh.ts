/**
 * What metadata fetched by itself, with no admin looking, may change in a connection.
 *
 * Keys may come and go, and the addresses for sign-in and logout may change on their hosts; logout is not begun where no admin has set it up.
 * Another entity ID, another host, or metadata whose time has passed is held: nothing of the document is used, what is active stays, and the admin is told what she would get. Whoever takes over
 * the address of the metadata must not, by that alone, send people elsewhere; and an old document played back changes nothing.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { SamlConnection } from '../connection-configuration.js'
import { compareMetadata, fingerprintOf, hasChanges, type MetadataChange } from './metadata-changes.js'
import { diagnose, type MetadataConfiguration } from './metadata-diagnosis.js'
import { isError, type MetadataFindingCode } from './metadata-findings.js'
import { planRollover, type Withdrawn } from './metadata-rollover.js'

/** Why fetched metadata waits for an admin. */
export const heldReasons = {
  metadata_unusable: {
    spec: 'SAML Metadata §2',
    cause: 'The document at the address cannot be used; the findings beside it say why.',
    remedy: 'Mend it at the IdP, or give another address. What is configured goes on working.',
  },
  entity_id_changed: {
    spec: 'SAML Metadata §2.3.2',
    cause: 'The document at the address describes another entity.',
    remedy: 'If the IdP was moved or replaced, look at the document and apply it; otherwise ask who changed the address.',
  },
  endpoint_moved: {
    spec: 'ours',
    cause: 'The sign-in or the logout address would move to another host or port.',
    remedy: 'Ask the company whether it moved its IdP. If so, look at the document and apply it.',
  },
  signer_changed: {
    spec: 'SAML Metadata §3',
    cause: 'The metadata was signed before. This document is signed by nobody, or by a certificate that the connection does not know.',
    remedy:
      'Ask the company whether its IdP signs metadata with another key now, or none. If so, look at the document and apply it; otherwise ask who changed the address.',
  },
  metadata_outdated: {
    spec: 'SAML Metadata §2.3.2',
    cause: 'The time until which the document calls itself valid has passed: it may be an old one, played back.',
    remedy: 'Mend it at the IdP; what is configured goes on working.',
  },
} as const
export type HeldReason = keyof typeof heldReasons

export type RefreshQuestion = {
  readonly active: SamlConnection
  readonly document: string
  readonly url: string | undefined
  readonly pinned: readonly string[]
  /** Fingerprint of who signed what is in use, where nothing is pinned. Undefined: nobody did. */
  readonly signedBy: string | undefined
  readonly withdrawn: readonly Withdrawn[]
  readonly now: Instant
}
/** What may be written without an admin. */
export type Settled =
  | { readonly kind: 'unchanged'; readonly withdrawn: readonly Withdrawn[] }
  | {
      readonly kind: 'changed'
      readonly configuration: MetadataConfiguration
      readonly change: MetadataChange
      readonly withdrawn: readonly Withdrawn[]
    }
export type Held = {
  readonly kind: 'held'
  readonly reason: HeldReason
  readonly findings: readonly MetadataFindingCode[]
  readonly change: MetadataChange | undefined
}
export type RefreshVerdict = { readonly digest: string } & ((Settled & { readonly signedBy: string | undefined }) | Held)

export function judgeRefresh(question: RefreshQuestion): RefreshVerdict {
  const { active, document, pinned, now, url } = question
  const seen = diagnose(document, { now, pinned, url, entityId: active.idpEntityId })
  const { digest, configuration } = seen
  const held = (reason: HeldReason, change?: MetadataChange): RefreshVerdict => {
    const findings = seen.findings.filter(isError).map(({ code }) => code)
    return { kind: 'held', digest, reason, findings, change }
  }
  if (configuration === undefined) {
    const isOther = seen.findings.some(({ code }) => code === 'entity_not_in_document')
    if (!isOther) return held('metadata_unusable')
    const other = diagnose(document, { now, pinned, url }).configuration
    return held('entity_id_changed', other && compareMetadata(active, other))
  }
  const offered = active.sloUrl === undefined ? withoutLogout(configuration) : configuration
  const whole = compareMetadata(active, offered)
  if (seen.findings.some(({ code }) => code === 'valid_until_passed')) return held('metadata_outdated', whole)
  if (pinned.length === 0 && !mayReplace(question, seen.signedBy)) return held('signer_changed', whole)
  if (leavesItsHost(active, offered)) return held('endpoint_moved', whole)
  return { digest, ...overlap(question, offered), signedBy: seen.signedBy }
}

/** Trust on first use: once signed, only the same certificate replaces it, or one that the connection trusts for logins already, as an IdP's next key is. */
const mayReplace = ({ signedBy: before, active }: RefreshQuestion, signedBy: string | undefined): boolean =>
  before === undefined ||
  (signedBy !== undefined && (signedBy === before || active.certificates.some((pem) => fingerprintOf(pem) === signedBy)))

const withoutLogout = ({ idpEntityId, ssoUrl, ssoBinding, certificates }: MetadataConfiguration): MetadataConfiguration => ({
  idpEntityId,
  ssoUrl,
  ssoBinding,
  certificates,
})

function leavesItsHost(active: SamlConnection, offered: MetadataConfiguration): boolean {
  const pairs = [
    [active.ssoUrl, offered.ssoUrl],
    [active.sloUrl, offered.sloUrl],
    [active.sloResponseUrl ?? active.sloUrl, offered.sloResponseUrl],
  ] as const
  return pairs.some(([from, to]) => from !== undefined && to !== undefined && new URL(from).host !== new URL(to).host)
}

/** Where there was no new document: what the metadata listed it lists still, and what is withdrawn goes in its time. The last certificate stays. */
export function endOverlap({ active, withdrawn, now }: Pick<RefreshQuestion, 'active' | 'withdrawn' | 'now'>): Settled {
  const isWithdrawn = new Set(withdrawn.map(({ fingerprint }) => fingerprint))
  const certificates = active.certificates.filter((pem) => !isWithdrawn.has(fingerprintOf(pem)))
  if (certificates.length === 0) return { kind: 'unchanged', withdrawn: [] }
  const { idpEntityId, ssoUrl, ssoBinding } = active
  return overlap({ active, withdrawn, now }, { idpEntityId, ssoUrl, ssoBinding, certificates })
}

function overlap(
  { active, withdrawn: known, now }: Pick<RefreshQuestion, 'active' | 'withdrawn' | 'now'>,
  offered: MetadataConfiguration,
): Settled {
  const { certificates, withdrawn } = planRollover({ trusted: active.certificates, offered: offered.certificates, withdrawn: known, now })
  const configuration = { ...offered, certificates }
  const change = compareMetadata(active, configuration)
  return hasChanges(change) ? ({ kind: 'changed', configuration, change, withdrawn } as const) : ({ kind: 'unchanged', withdrawn } as const)
}

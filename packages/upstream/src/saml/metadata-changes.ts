/** What would change in a connection if this metadata were applied: shown before, audited after. */
import { certificateOf } from '../certificate.js'
import type { SamlConnection } from '../connection-configuration.js'
import type { MetadataConfiguration } from './metadata-diagnosis.js'

export type NamedCertificate = { readonly fingerprint: string; readonly subject: string; readonly notAfter: string }
/** null: there was none. Nothing that metadata says takes an address away. */
type Moved = { readonly from: string | null; readonly to: string }
export type MetadataChange = {
  readonly entityId: Moved | undefined
  readonly ssoUrl: Moved | undefined
  readonly ssoBinding: Moved | undefined
  readonly sloUrl: Moved | undefined
  readonly sloResponseUrl: Moved | undefined
  readonly sloBinding: Moved | undefined
  readonly sloIssuer: Moved | undefined
  readonly certificates: {
    readonly added: readonly NamedCertificate[]
    readonly removed: readonly NamedCertificate[]
    readonly kept: readonly string[]
  }
}

/** SHA-256 over the certificate, lower-case hex. */
export const fingerprintOf = (pem: string): string => nameCertificate(pem).fingerprint

export function nameCertificate(pem: string): NamedCertificate {
  const parsed = certificateOf(pem)
  const fingerprint = parsed.fingerprint256.replaceAll(':', '').toLowerCase()
  return { fingerprint, subject: parsed.subject, notAfter: new Date(parsed.validTo).toISOString() }
}

export function compareMetadata(active: SamlConnection, offered: MetadataConfiguration): MetadataChange {
  const before = active.certificates.map(nameCertificate)
  const after = offered.certificates.map(nameCertificate)
  const isIn = (list: readonly NamedCertificate[]) => (each: NamedCertificate) =>
    list.some((other) => other.fingerprint === each.fingerprint)
  return {
    entityId: moved(active.idpEntityId, offered.idpEntityId),
    ssoUrl: moved(active.ssoUrl, offered.ssoUrl),
    ssoBinding: moved(active.ssoBinding, offered.ssoBinding),
    sloUrl: moved(active.sloUrl, offered.sloUrl),
    sloResponseUrl: moved(active.sloResponseUrl ?? active.sloUrl, offered.sloResponseUrl),
    sloBinding: moved(active.sloUrl === undefined ? undefined : active.sloBinding, offered.sloBinding),
    sloIssuer: moved(active.sloIssuer, offered.sloIssuer),
    certificates: {
      added: after.filter((each) => !isIn(before)(each)),
      removed: before.filter((each) => !isIn(after)(each)),
      kept: before.filter(isIn(after)).map(({ fingerprint }) => fingerprint),
    },
  }
}

const moved = (from: string | undefined, to: string | undefined): Moved | undefined =>
  to === undefined || from === to ? undefined : { from: from ?? null, to }

export const hasChanges = ({ certificates, ...others }: MetadataChange): boolean =>
  Object.values(others).some((each) => each !== undefined) || certificates.added.length + certificates.removed.length > 0

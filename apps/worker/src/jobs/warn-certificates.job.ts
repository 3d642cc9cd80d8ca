/**
 * Tells of signing certificates that end soon, each threshold of each certificate once: a line in the tenant's trail, and a figure.
 *
 * Connections are read a page at a time, of each its certificates alone. A certificate that comes with few days left is told once, by the
 * tightest threshold that it has crossed.
 */

import { type CertificateExpiring, certificateWarningDays, crossedThresholds } from '@drawbridge/core/identity/certificate-expiring'
import { secondsBetween } from '@drawbridge/core/instant'
import {
  type ConnectionCertificates,
  listConnectionCertificatesAcrossTenants,
  recordCertificateWarning,
} from '@drawbridge/store/certificate-warnings'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { describeCertificate, type IdpCertificate } from '@drawbridge/upstream/saml/metadata-certificate'
import type { JobDeps } from '../deps.js'
import { tellTenant } from '../tell-tenant.js'

/** Connections per statement. */
export const warnBatch = 200

export async function warnCertificates(deps: JobDeps): Promise<void> {
  let after: ConnectionCertificates | undefined
  do {
    const page = { after, limit: warnBatch }
    const connections = await acrossTenants(deps.database, (db) => listConnectionCertificatesAcrossTenants(db, page))
    for (const connection of connections) await warnOf(deps, connection)
    after = connections.length < warnBatch ? undefined : connections.at(-1)
  } while (after !== undefined)
}

async function warnOf(deps: JobDeps, { tenantId, connectionId, name, certificates }: ConnectionCertificates): Promise<void> {
  const now = deps.clock.now()
  for (const pem of certificates) {
    const certificate = describeCertificate(pem, now)
    if (certificate === undefined) continue
    const crossed = crossedThresholds(secondsBetween(now, certificate.notAfter))
    if (crossed.length === 0) continue
    const { fingerprint } = certificate
    const isNew = await inTenant(deps.database, tenantId, async (db) => {
      const recorded = await recordCertificateWarning(db, tenantId, { connectionId, fingerprint, crossed, now })
      const detail = toEvent(name, certificate, crossed)
      if (recorded) await tellTenant(db, tenantId, { at: now, kind: 'connection.certificate_expiring', connectionId, detail })
      return recorded
    })
    if (isNew) deps.metrics.count('drawbridge_certificate_warnings_total', { days: String(Math.min(...crossed)) })
  }
}

const toEvent = (
  connection: string,
  { fingerprint, subject, notAfter, daysLeft }: IdpCertificate,
  crossed: readonly number[],
): CertificateExpiring => ({
  ...{ connection, fingerprint, subject, notAfter: new Date(notAfter).toISOString(), daysLeft },
  threshold: Math.min(...crossed) as (typeof certificateWarningDays)[number],
})

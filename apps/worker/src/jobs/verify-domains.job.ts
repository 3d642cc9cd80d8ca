/**
 * Looks again at what proves the domains of the tenants. A proof that fails long enough lapses: an alarm in the trail of the tenant and in
 * the metrics. From then on nobody new comes in by the domain, and its addresses are not called verified.
 */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import { addSeconds } from '@drawbridge/core/instant'
import { challengeName, type DomainCheck, judgeProof, judgeRecords, type ProofVerdict } from '@drawbridge/core/tenant/domain-proof'
import { type DueDomain, markDomainChecked, takeDueDomainsAcrossTenants } from '@drawbridge/store/domains'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { tellTenant } from '../tell-tenant.js'

/** Taken at once, and looked at in this many at a time: neither resolver nor database meets a herd. */
export const domainsPerBatch = 200
const atATime = 8
const mostBatches = 10
/** A worker that dies in the middle leaves what it took to the next one after this. */
const takenForSeconds = 900

export async function verifyDomains(deps: JobDeps): Promise<void> {
  for (let batch = 0; batch < mostBatches; batch += 1) {
    const now = deps.clock.now()
    const due = await acrossTenants(deps.database, (db) =>
      takeDueDomainsAcrossTenants(db, now, addSeconds(now, takenForSeconds), domainsPerBatch),
    )
    for (let at = 0; at < due.length; at += atATime)
      await Promise.all(due.slice(at, at + atATime).map((domain) => verifyDomain(deps, domain)))
    if (due.length < domainsPerBatch) return
  }
}

async function verifyDomain(deps: JobDeps, due: DueDomain): Promise<void> {
  const check = await look(deps, due)
  const now = deps.clock.now()
  const verdict = judgeProof(due, check, now, deps.random.bytes(4).readUInt32BE() / 2 ** 32)
  const isNoted = await inTenant(deps.database, due.tenantId, async (db) => {
    const marked = await markDomainChecked(db, due, verdict, now)
    const kind = kindOf(verdict)
    const detail = { domain: due.domain, check, failedChecks: verdict.failedChecks }
    if (marked && kind) await tellTenant(db, due.tenantId, { at: now, kind, reason: check, detail }, due.domain)
    return marked
  })
  if (!isNoted) return
  deps.metrics.count('drawbridge_domain_checks_total', { outcome: check })
  if (verdict.news !== 'lapsed') return
  deps.metrics.count('drawbridge_domain_proofs_lapsed_total')
  deps.log.error({ tenant: due.tenantId, domain: due.domain, check }, 'the proof of a domain has lapsed')
}

async function look(deps: JobDeps, { domain, challenge }: DueDomain): Promise<DomainCheck> {
  const answer = await deps.resolveTxt(challengeName(domain))
  return answer.kind === 'found' ? judgeRecords(answer.records, challenge) : answer.kind
}

function kindOf({ news }: ProofVerdict): AuditEventKind | undefined {
  switch (news) {
    case 'failing':
      return 'domain.proof_failing'
    case 'recovered':
      return 'domain.proof_recovered'
    case 'lapsed':
      return 'domain.proof_lapsed'
    case 'none':
      return undefined
  }
}

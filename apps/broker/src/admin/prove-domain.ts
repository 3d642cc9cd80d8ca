/** One look at what the DNS of a claimed domain says, whoever asks for it: an admin, or a company's IT on its set-up page. */

import { err, ok, type Result } from '@drawbridge/core/result'
import { challengeName, challengeRecord, judgeProof, judgeRecords } from '@drawbridge/core/tenant/domain-proof'
import type { SeenProof } from '@drawbridge/store/domains'
import type { BrokerDeps } from '../deps.js'

const unprovenWords = {
  found: 'has TXT records, but not this value',
  absent: 'has no TXT record',
  unreachable: 'could not be looked up: its name servers did not answer',
} as const

/** The error says what was seen instead. Nothing is written: what was seen counts once the store finds the same claim still there. */
export async function lookForProof(
  deps: Pick<BrokerDeps, 'resolveTxt' | 'clock'>,
  { domain, challenge }: Pick<SeenProof, 'domain' | 'challenge'>,
): Promise<Result<SeenProof, string>> {
  const answer = await deps.resolveTxt(challengeName(domain))
  if (answer.kind !== 'found' || judgeRecords(answer.records, challenge) !== 'proven')
    return err(`${unprovenWords[answer.kind]}; publish ${challengeRecord(challenge)} and ask again`)
  const now = deps.clock.now()
  const { nextCheckAt = now } = judgeProof({ failingSince: undefined, failedChecks: 0 }, 'proven', now, 0)
  return ok({ domain, challenge, now, nextCheckAt })
}

/** Why policy refuses somebody who is not here to answer: what another sign-in can mend is told apart, so that whoever has her can ask for one. */
import type { PolicyDecision } from '../policy/decision.js'

/** @spec RFC 9470 §3 */
export function whyDeniedInAbsence(decision: Exclude<PolicyDecision, { kind: 'allow' }>): 'authentication_insufficient' | 'policy_denies' {
  if (decision.kind === 'stepUp') return 'authentication_insufficient'
  switch (decision.reason) {
    case 'mfa_missing':
    case 'login_not_fresh':
    case 'session_ended':
      return 'authentication_insufficient'
    case 'nothing_granted':
    case 'subject_deactivated':
      return 'policy_denies'
  }
}

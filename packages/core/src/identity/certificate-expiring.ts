/** That a signing certificate of an IdP ends soon: when it is told, and what. */

/** Days before the end. Each is told once. */
export const certificateWarningDays = [60, 30, 14, 7, 1] as const

/** The event as it stands in the trail, and as it may be handed on: plain members, nothing to be looked up. */
export type CertificateExpiring = {
  /** The name of the connection. */
  readonly connection: string
  /** SHA-256 over the certificate, lower-case hex. */
  readonly fingerprint: string
  readonly subject: string
  /** ISO 8601. */
  readonly notAfter: string
  readonly daysLeft: number
  readonly threshold: (typeof certificateWarningDays)[number]
}

const secondsPerDay = 86_400

/** The thresholds that have been reached; none for a certificate that has ended, of which the diagnosis speaks. */
export const crossedThresholds = (secondsLeft: number): readonly (typeof certificateWarningDays)[number][] =>
  secondsLeft < 0 ? [] : certificateWarningDays.filter((days) => secondsLeft <= days * secondsPerDay)

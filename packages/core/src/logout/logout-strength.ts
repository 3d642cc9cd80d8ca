/** The three strengths of logout: what each takes away. security.md §16 */

/**
 * `browser`: somebody's browser says so, unsigned. It ends the session of that browser, which its cookie proves, and nothing else.
 * `session`: the IdP says so, signed, or the person herself here. It ends browser sessions and what was granted from them.
 * `deprovisioning`: a directory or an admin says so. It ends everything of the target by a barrier: `store/deprovisioning`.
 */
export type LogoutStrength = 'browser' | 'session' | 'deprovisioning'

/** Of a tenant that has not said otherwise: what was granted from a session ends with it. */
export const grantsOutliveLogoutByDefault = false

/** Whether the grants that were opened from a session end with it. A tenant may let them outlive a logout, never a deprovisioning. */
export const endsGrants = (strength: LogoutStrength, grantsOutliveLogout: boolean): boolean =>
  strength === 'deprovisioning' || (strength === 'session' && !grantsOutliveLogout)

/**
 * For so long an ended session is remembered, so that a login which was under way at its end is not believed: longer than a trip to the IdP
 * may take.
 */
export const sessionEndKeepSeconds = 3600

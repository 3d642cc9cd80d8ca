/** How long things may live under a policy: inside the outer wall each number may only fall, and a refresh token that is not allowed stays so. */
import { type Compiling, report } from './compiling.js'
import type { SensitivityTier } from './decision.js'
import type { PolicyDocument } from './document.js'
import { policyLimits } from './error.js'
import type { SessionLimits, TierLimit, TierLimits } from './tier.js'

export type Limits = {
  readonly tierLimits: TierLimits
  readonly session: SessionLimits
}

/** `outer`: the wall's limits. What is looser than they are is refused when it is saved, and held to them when it was saved before. */
export function tightenLimits(document: PolicyDocument, outer: Limits, compiling: Compiling): Limits {
  const tier = (name: SensitivityTier): TierLimit => tightenTier(document, name, { outer: outer.tierLimits[name], compiling })
  return {
    tierLimits: { read: tier('read'), write: tier('write'), sensitive: tier('sensitive'), admin: tier('admin') },
    session: tightenSession(document, outer.session, compiling),
  }
}

type Outer<T> = { readonly outer: T; readonly compiling: Compiling }

function tightenTier(document: PolicyDocument, tier: SensitivityTier, { outer, compiling }: Outer<TierLimit>): TierLimit {
  const own = document.limits[tier]
  const access = own?.accessTokenSeconds ?? outer.accessTokenSeconds
  if (access > outer.accessTokenSeconds)
    report(compiling, 'limit_loosened', ['limits', tier, 'accessTokenSeconds'], `at most ${outer.accessTokenSeconds}`)
  const accessTokenSeconds = Math.min(access, outer.accessTokenSeconds)
  if (own?.refreshTokenSeconds === 'none') return { accessTokenSeconds, refreshTokenSeconds: undefined }
  const refresh = own?.refreshTokenSeconds ?? outer.refreshTokenSeconds
  const most = outer.refreshTokenSeconds
  if (refresh !== undefined && refresh > (most ?? 0))
    report(compiling, 'limit_loosened', ['limits', tier, 'refreshTokenSeconds'], most === undefined ? 'none is allowed' : `at most ${most}`)
  return { accessTokenSeconds, refreshTokenSeconds: most === undefined || refresh === undefined ? undefined : Math.min(refresh, most) }
}

function tightenSession(document: PolicyDocument, outer: SessionLimits, compiling: Compiling): SessionLimits {
  const limit = <Name extends keyof SessionLimits>(name: Name): SessionLimits[Name] => {
    const own = document.session[name] ?? outer[name]
    const most = outer[name]
    if (own === undefined || most === undefined) return own as SessionLimits[Name]
    if (own > most) report(compiling, 'limit_loosened', ['session', name], `at most ${most}`)
    return Math.min(own, most) as SessionLimits[Name]
  }
  return {
    absoluteSeconds: limit('absoluteSeconds'),
    idleSeconds: limit('idleSeconds'),
    authenticationMaxAgeSeconds: limit('authenticationMaxAgeSeconds'),
    reconsentSeconds: limit('reconsentSeconds'),
  }
}

/**
 * The wall's own limits are the vendor's to set, instead of the defaults; but no session outlasts `sessionSeconds`, whatever it says. What was
 * published with more is held to that.
 */
export function wallLimits(document: PolicyDocument, defaults: Limits, compiling: Compiling): Limits {
  const absoluteSeconds = document.session.absoluteSeconds ?? defaults.session.absoluteSeconds
  if (absoluteSeconds > policyLimits.sessionSeconds && !compiling.isPublished)
    report(compiling, 'session_too_long', ['session', 'absoluteSeconds'], `${absoluteSeconds}, limit ${policyLimits.sessionSeconds}`)
  const tier = (name: SensitivityTier): TierLimit => {
    const own = document.limits[name]
    const outer = defaults.tierLimits[name]
    const refresh = own?.refreshTokenSeconds ?? outer.refreshTokenSeconds
    return {
      accessTokenSeconds: own?.accessTokenSeconds ?? outer.accessTokenSeconds,
      refreshTokenSeconds: refresh === 'none' ? undefined : refresh,
    }
  }
  const { session } = defaults
  return {
    tierLimits: { read: tier('read'), write: tier('write'), sensitive: tier('sensitive'), admin: tier('admin') },
    session: {
      ...session,
      ...Object.fromEntries(Object.entries(document.session).filter(([, seconds]) => seconds !== undefined)),
      absoluteSeconds: Math.min(absoluteSeconds, policyLimits.sessionSeconds),
    },
  }
}

/** What there is to be asked for at an issuer, by whichever door: a browser, a push, a device. */
import type { AccessRules } from '@drawbridge/core/oauth/authorization-request'
import { scopesTold } from '@drawbridge/core/oauth/userinfo'
import type { ResolvedTenant } from './tenant.js'

export const accessRulesOf = ({ resources, toldOfPeople, issuer }: ResolvedTenant): AccessRules => ({
  resources,
  told: scopesTold(toldOfPeople),
  leavesDefaultsOpen: issuer.kind === 'front',
})

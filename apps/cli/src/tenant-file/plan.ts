/**
 * What would bring a living tenant to what its file says. Pure: a plan is data, made from what was read, and nothing is written by making one.
 *
 * Two promises. A plan of what a file already says is empty. And a plan without `prune` takes nothing away and gives nothing back: what
 * somebody killed, blocked, withdrew, suspended or let lapse stays so, and is told; what the file does not name is left alone, and is told.
 */
import { everyWay } from '@drawbridge/core/oauth/client-registration'
import { noDpopRules } from '@drawbridge/core/oauth/dpop-rules'
import { defaultTokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { differencesOf } from './differences.js'
import type { LiveTenant } from './live-tenant.js'
import type { Compared, Plan, Planned, PlanOptions, Step } from './plan-change.js'
import { planClients } from './plan-clients.js'
import { planConnections } from './plan-connections.js'
import { planContacts } from './plan-contacts.js'
import { planChoice, planDomains } from './plan-domains.js'
import { planPermissions } from './plan-permissions.js'
import { planResources, planShares } from './plan-resources.js'
import { planTrusts } from './plan-trusts.js'
import { planWebhooks } from './plan-webhooks.js'
import type { TenantFile } from './shape.js'

const nobody = (slug: string): LiveTenant => ({
  slug,
  name: '',
  suspendedAt: null,
  contacts: [],
  webhooks: [],
  provisioning: undefined,
  policy: undefined,
  policyCases: undefined,
  connections: [],
  assertionTrusts: [],
  domains: [],
  logout: { grantsOutliveLogout: false },
  tokens: { algorithm: defaultTokenAlgorithm },
  clientRegistration: everyWay,
  deviceGrant: { enabled: false },
  softwareStatements: { required: false, issuers: [] },
  dpop: noDpopRules,
  pushedRequests: { required: false },
  userinfo: { profile: false, email: false },
  defaultScopes: { sharedResources: [] },
  subjectTypes: { pairwiseByDefault: false },
  loginTracing: { recordClaims: false },
  loginRecording: { recordLogins: false },
  choice: { rules: [], fallbackConnectionId: null, revealsGroups: false },
  resources: [],
  clients: [],
  tokenExchange: { permissions: [] },
  idJagIssuing: { permissions: [] },
})

/** Their texts, wherever the file has them from. */
export type PolicyTexts = { readonly policy: string | undefined; readonly cases: string | undefined }

export function planTenant(file: TenantFile, texts: PolicyTexts, living: LiveTenant | undefined, options: PlanOptions): Plan {
  const live = living ?? nobody(file.tenant.slug)
  const compared = { file, live, options }
  const parts: readonly Planned[] = [
    planTenantItself(file, living),
    planContacts(compared),
    planWebhooks(compared),
    planProvisioning(compared),
    planDocument(compared, 'logout', '/logout'),
    planDocument(compared, 'tokens', '/token-algorithm'),
    planDocument(compared, 'clientRegistration', '/client-registration'),
    planDocument(compared, 'deviceGrant', '/device-grant'),
    planDocument(compared, 'softwareStatements', '/software-statements'),
    planDocument(compared, 'dpop', '/dpop'),
    planDocument(compared, 'pushedRequests', '/pushed-requests'),
    planDocument(compared, 'userinfo', '/userinfo'),
    planDocument(compared, 'defaultScopes', '/default-scopes'),
    planDocument(compared, 'subjectTypes', '/subject-types'),
    planDocument(compared, 'loginTracing', '/login-tracing'),
    planDocument(compared, 'loginRecording', '/login-recording'),
    planConnections(compared),
    planTrusts(compared),
    planDomains(compared),
    planChoice(compared),
    planResources(compared),
    planShares(compared),
    // Its test cases ask about what the tenant has.
    planPolicy(texts, live),
    planClients(compared),
    ...planPermissions(compared),
  ]
  return {
    slug: file.tenant.slug,
    knownAs: living?.name,
    changes: [...parts.flatMap(({ changes }) => changes), ...parts.toReversed().flatMap(({ pruned = [] }) => pruned)],
    leftAlone: parts.flatMap(({ leftAlone = [] }) => leftAlone),
    warnings: parts.flatMap(({ warnings = [] }) => warnings),
    impossible: parts.flatMap(({ impossible = [] }) => impossible),
  }
}

function planTenantItself({ tenant: { slug, name } }: TenantFile, living: LiveTenant | undefined): Planned {
  const what = `tenant ${slug}`
  const differences = differencesOf(living === undefined ? {} : { name: living.name }, { name })
  if (living === undefined) {
    const create: Step = { kind: 'call', method: 'POST', path: ['/tenants'], body: { slug, name } }
    return { changes: [{ does: 'create', what, differences, steps: [create, { kind: 'await-tenant' }] }] }
  }
  const warnings =
    living.suspendedAt === null ? [] : [`${what} is suspended since ${living.suspendedAt}, and stays so: drawbridge tenant resume`]
  if (differences.length === 0) return { changes: [], warnings }
  return {
    changes: [{ does: 'change', what, differences, steps: [{ kind: 'call', method: 'PATCH', path: [''], body: { name } }] }],
    warnings,
  }
}

function planProvisioning({ file: { provisioning: mode }, live }: Compared): Planned {
  if (mode === undefined || mode === live.provisioning) return { changes: [] }
  const differences = [{ path: '', from: live.provisioning, to: mode }]
  const steps = [{ kind: 'call', method: 'PUT', path: ['/provisioning'], body: { mode } }] as const
  return { changes: [{ does: 'change', what: 'provisioning', differences, steps }] }
}

/** What is one small document of the tenant, written whole. */
function planDocument(
  { file, live }: Compared,
  member:
    | 'logout'
    | 'tokens'
    | 'clientRegistration'
    | 'deviceGrant'
    | 'softwareStatements'
    | 'dpop'
    | 'pushedRequests'
    | 'userinfo'
    | 'defaultScopes'
    | 'subjectTypes'
    | 'loginTracing'
    | 'loginRecording',
  path: string,
): Planned {
  const wanted = file[member]
  const differences = wanted === undefined ? [] : differencesOf(live[member], wanted)
  if (differences.length === 0) return { changes: [] }
  return { changes: [{ does: 'change', what: member, differences, steps: [{ kind: 'call', method: 'PUT', path: [path], body: wanted }] }] }
}

function planPolicy({ policy, cases }: PolicyTexts, live: LiveTenant): Planned {
  const document = policy ?? live.policy
  if (document === undefined) {
    const say = 'there is no policy that they could be about'
    return { changes: [], ...(cases !== undefined && { impossible: [{ path: ['policyCases'], say }] }) }
  }
  const differences = [
    ...(document === live.policy ? [] : [{ path: '', from: live.policy, to: document }]),
    ...(cases === undefined || cases === live.policyCases ? [] : [{ path: 'cases', from: live.policyCases, to: cases }]),
  ]
  if (differences.length === 0) return { changes: [] }
  const body = { document, ...(cases !== undefined && { cases }), note: 'drawbridge apply' }
  const steps = [{ kind: 'call', method: 'POST', path: ['/policies'], body }] as const
  return { changes: [{ does: live.policy === undefined ? 'create' : 'change', what: 'policy', differences, steps }] }
}

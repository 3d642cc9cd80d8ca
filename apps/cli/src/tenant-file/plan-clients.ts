/** Clients that an admin registers, of a file and of a tenant. What introduced itself is nobody's to declare. */
import { couldBePersons } from '@drawbridge/core/oauth/machine-subject'
import { differencesOf, isSame } from './differences.js'
import type { LiveClient } from './live-tenant.js'
import { type Change, type Compared, type Planned, type Step, together } from './plan-change.js'
import type { FileClient } from './shape.js'

const pathOf = (clientId: string) => `/clients/${encodeURIComponent(clientId)}`

export function planClients({ file: { clients }, live, options }: Compared): Planned {
  if (clients === undefined) return { changes: [] }
  const planned = clients.map((client, index) => planClient(client, index, live.clients))
  const known = clients.map(({ clientId }) => clientId)
  const surplus = live.clients.filter(
    ({ clientId, kind, blockedAt }) => kind === 'preregistered' && blockedAt === null && !known.includes(clientId),
  )
  return together(
    planned,
    surplus.map((each) => ({ told: `client ${each.clientId}`, prune: prune(each) })),
    options.prune,
  )
}

const prune = ({ clientId }: LiveClient): Change => ({
  does: 'take away',
  what: `client ${clientId}`,
  differences: [],
  steps: [{ kind: 'remove-or-kill', path: [pathOf(clientId)] }],
})

const inOrder = (names: readonly string[]) => names.toSorted((one, other) => (one < other ? -1 : 1))

type Whole = FileClient | LiveClient
const registrationOf = (client: Whole) => ({
  name: client.name,
  redirectUris: client.redirectUris,
  backchannelLogoutUri: client.backchannelLogoutUri ?? null,
  backchannelLogoutSessionRequired: client.backchannelLogoutSessionRequired ?? false,
  postLogoutRedirectUris: client.postLogoutRedirectUris ?? [],
  dpopBoundAccessTokens: client.dpopBoundAccessTokens ?? false,
  requirePushedAuthorizationRequests: client.requirePushedAuthorizationRequests ?? false,
})
const governanceOf = ({ preApproved, scopeCeiling, accessTokenTtlSeconds }: Whole) => ({
  preApproved,
  scopeCeiling: inOrder(scopeCeiling),
  accessTokenTtlSeconds: accessTokenTtlSeconds ?? null,
})
/** What a client is, and cannot become. */
const natureOf = ({
  grantTypes,
  tokenEndpointAuthMethod,
  applicationType,
  jwks,
  jwksUri,
  certificateName,
  sectorIdentifierUri,
}: Whole) => ({
  grantTypes: inOrder(grantTypes),
  tokenEndpointAuthMethod,
  applicationType,
  jwks: jwks ?? null,
  jwksUri: jwksUri ?? null,
  certificateName: certificateName ?? null,
  sectorIdentifierUri: sectorIdentifierUri ?? null,
})

function planClient(client: FileClient, index: number, all: readonly LiveClient[]): Planned {
  const { clientId, blocked } = client
  const what = `client ${clientId}`
  const live = all.find((each) => each.clientId === clientId)
  if (live === undefined && couldBePersons(clientId))
    return {
      changes: [],
      impossible: [{ path: ['clients', index, 'clientId'], say: 'a person’s `sub` could read so: no UUID and no 256 bits in base64url' }],
    }
  if (live === undefined) return { changes: [create(client)] }
  if (live.kind !== 'preregistered')
    return {
      changes: [],
      impossible: [{ path: ['clients', index, 'clientId'], say: 'this client introduced itself: no file declares it' }],
    }
  // A file that says nothing of it leaves it as it is.
  const subjectType = client.subjectType ?? live.subjectType
  const fixed = differencesOf({ ...natureOf(live), subjectType: live.subjectType }, { ...natureOf(client), subjectType })
  if (fixed.length > 0) {
    const say = 'a client cannot become another: register one with another clientId'
    return { changes: [], impossible: fixed.map(({ path }) => ({ path: ['clients', index, path.split('.')[0] ?? ''], say })) }
  }
  const [registration, governance] = [registrationOf(client), governanceOf(client)]
  const isBlockNew = blocked && live.blockedAt === null
  const steps: Step[] = []
  if (!isSame(registrationOf(live), registration))
    steps.push({ kind: 'call', method: 'PATCH', path: [`${pathOf(clientId)}/registration`], body: registration })
  if (!isSame(governanceOf(live), governance) || isBlockNew)
    steps.push({ kind: 'call', method: 'PATCH', path: [pathOf(clientId)], body: { ...governance, ...(isBlockNew && { blocked }) } })
  const differences = [
    ...differencesOf(registrationOf(live), registration),
    ...differencesOf(governanceOf(live), governance),
    ...(isBlockNew ? [{ path: 'blocked', from: undefined, to: true }] : []),
  ]
  const warnings =
    !blocked && live.blockedAt !== null ? [`${what} was blocked at ${live.blockedAt}, and stays so: drawbridge client unblock`] : []
  return { changes: steps.length === 0 ? [] : [{ does: 'change', what, differences, steps }], warnings }
}

function create({ blocked, ...client }: FileClient): Change {
  const { clientId, ...shown } = client
  const made: Step = { kind: 'call', method: 'POST', path: ['/clients'], body: client, shows: 'clientSecret' }
  const block: Step = { kind: 'call', method: 'PATCH', path: [pathOf(clientId)], body: { blocked } }
  return { does: 'create', what: `client ${clientId}`, differences: differencesOf({}, shown), steps: blocked ? [made, block] : [made] }
}

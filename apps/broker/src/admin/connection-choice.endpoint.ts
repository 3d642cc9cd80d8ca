/** Which connection an address chooses. Whoever says so says to whose sign-in page people are sent: `impersonate`. */
import { compileConnectionChoice, connectionChoiceShape } from '@drawbridge/core/tenant/connection-choice'
import { listConnectionIds } from '@drawbridge/store/connections'
import { findConnectionChoice, markConnectionChoice } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'

const common = { path: '/tenants/:tenant/connection-choice', tag: 'Connections', answer: connectionChoiceShape } as const

const read = adminEndpoint({
  ...common,
  method: 'GET',
  summary: 'Read which connection an address chooses, before the proven domains do',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const stored = await inTenant(deps.database, id, (db) => findConnectionChoice(db, id))
    return json(connectionChoiceShape.parse(stored ?? {}))
  },
})

const replace = adminEndpoint({
  ...common,
  method: 'PUT',
  summary: 'Replace the rules by which an address chooses a connection, and where one goes that nothing decides',
  permission: 'impersonate',
  body: connectionChoiceShape,
  refuses: ['connection_choice_invalid'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const choice = http.parsed
    // Asked of the database: a connection that was made a moment ago may be in no cache yet.
    const mistakes = await inTenant(deps.database, tenant.id, async (db) => {
      const found = mistakesIn(choice, await listConnectionIds(db, tenant.id))
      if (found.length > 0) return found
      await markConnectionChoice(db, tenant.id, choice)
      await audit(db, tenant.id, http, deps, { kind: 'tenant.connection_choice_changed', detail: choice })
      return []
    })
    return mistakes.length > 0 ? refuseAdmin('connection_choice_invalid', mistakes) : json(choice)
  },
})

function mistakesIn(choice: (typeof connectionChoiceShape)['_output'], connections: readonly string[]) {
  const named = [
    ...choice.rules.map(({ connectionId }, index) => ({ path: `rules.${index}.connectionId`, id: connectionId })),
    ...(choice.fallbackConnectionId === null ? [] : [{ path: 'fallbackConnectionId', id: choice.fallbackConnectionId }]),
  ]
  const unknown = named
    .filter(({ id }) => !connections.includes(id))
    .map(({ path }) => ({ path, message: 'not a connection of this tenant' }))
  const compiled = compileConnectionChoice(choice)
  const unreadable = compiled.ok ? [] : compiled.error.map(({ path, mistake }) => ({ path, message: mistake.say }))
  return [...unknown, ...unreadable]
}

export const connectionChoiceEndpoints = [read, replace]

/** Which clients may exchange whose tokens for which resource: RFC 8693. */
import type { AdminCommand } from '../command.js'

const path = '/tenants/{tenant}/token-exchange'

export const exchangeCommands: readonly AdminCommand[] = [
  {
    name: 'exchange show',
    does: 'Show which clients may exchange whose tokens for which resource',
    takes: ['tenant'],
    call: { method: 'GET', path },
    shows: { record: true },
    example: 'drawbridge exchange show initech',
  },
  {
    name: 'exchange set',
    does: 'Choose which clients may exchange whose tokens for which resource; what was issued by a permission that is gone or less ends',
    takes: ['tenant'],
    flags: {
      file: {
        kind: 'document',
        says: 'permissions as YAML or JSON: of each client, from, to, scopes and, where only tokens of some clients count, ofClients',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path },
    shows: { record: true },
    example: 'drawbridge exchange set initech --file exchange.yaml',
  },
]

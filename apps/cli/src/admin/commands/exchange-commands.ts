/** Which clients may exchange whose tokens for which resource, and for whom they may have ID-JAGs: RFC 8693. */
import type { AdminCommand } from '../command.js'

const path = '/tenants/{tenant}/token-exchange'
const idJags = '/tenants/{tenant}/id-jag-issuing'

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
        says: 'permissions as YAML or JSON: of each client, from, to, scopes and, where only tokens of some clients count, ofClients; at: front for clients of the front issuer',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path },
    shows: { record: true },
    example: 'drawbridge exchange set initech --file exchange.yaml',
  },
  {
    name: 'id-jag show',
    does: 'Show which clients may have ID-JAGs for which authorization servers, and who issues them',
    takes: ['tenant'],
    call: { method: 'GET', path: idJags },
    shows: { record: true },
    example: 'drawbridge id-jag show initech',
  },
  {
    name: 'id-jag set',
    does: 'Choose which clients may have ID-JAGs for which authorization servers of others',
    takes: ['tenant'],
    flags: {
      file: {
        kind: 'document',
        says: 'permissions as YAML or JSON: of each client, audience, resource, scopes with their tiers and, where it is called otherwise there, clientThere; at: front for clients of the front issuer',
        member: '',
        required: true,
      },
    },
    call: { method: 'PUT', path: idJags },
    shows: { record: true },
    example: 'drawbridge id-jag set initech --file id-jag.yaml',
  },
]

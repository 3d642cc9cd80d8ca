/** Calls that must arrive: what waits, what was given up, and trying that again. Of a tenant, and of the vendor's own webhooks. */
import type { AdminCommand, ArgumentName, Flag } from '../command.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the newest 200' }
const ofDestination: Flag = { kind: 'text', says: 'of this destination alone: of a webhook, its id' }

type Owner = { readonly word: string; readonly path: string; readonly takes: readonly ArgumentName[]; readonly example: string }
const owners: readonly Owner[] = [
  { word: 'delivery', path: '/tenants/{tenant}/deliveries', takes: ['tenant'], example: ' initech' },
  { word: 'vendor-delivery', path: '/deliveries', takes: [], example: '' },
]

export const deliveryCommands: readonly AdminCommand[] = owners.flatMap(({ word, path, takes, example }): readonly AdminCommand[] => [
  {
    name: `${word} list`,
    does:
      word === 'delivery'
        ? 'List calls that must arrive: logouts told to clients, and webhooks'
        : 'List calls to the webhooks of the vendor',
    takes,
    flags: {
      state: { kind: 'text', says: 'how it stands', choices: ['waiting', 'delivered', 'dead'] },
      dead: { kind: 'switch', says: 'what was given up', member: 'state', value: 'dead' },
      'destination-id': ofDestination,
      all,
    },
    call: { method: 'GET', path },
    shows: {
      rows: 'deliveries',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['kind', 'kind'],
        ['to', 'destinationId'],
        ['client_id', 'clientId'],
        ['state', 'state'],
        ['tries', 'attempts'],
        ['reason', 'reason'],
        ['created', 'createdAt'],
      ],
    },
    example: `drawbridge ${word} list${example} --dead`,
  },
  {
    name: `${word} replay`,
    does: 'Try one again that was given up',
    takes: [...takes, 'id'],
    call: { method: 'POST', path: `${path}/{id}/replay` },
    done: 'It is tried at once.',
    example: `drawbridge ${word} replay${example} 0f0e7d0a-0000-4000-8000-000000000000`,
  },
  {
    name: `${word} replay-dead`,
    does: 'Try again all that was given up, of one destination or of every one',
    takes,
    flags: { 'destination-id': ofDestination },
    call: { method: 'POST', path: `${path}/replay-dead`, body: {} },
    example: `drawbridge ${word} replay-dead${example}`,
  },
])

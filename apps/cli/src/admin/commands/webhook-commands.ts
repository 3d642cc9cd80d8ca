/** Endpoints that hear the news of access: of a tenant, and of the vendor for all of them. */
import { webhookEventNames } from '@drawbridge/core/revocation/webhook'
import type { AdminCommand, ArgumentName, Flag } from '../command.js'

const all: Flag = { kind: 'switch', says: 'all of them, not the first 200' }
const event: Flag = { kind: 'list', says: `news it hears, several: ${webhookEventNames.join(', ')}`, member: 'events' }
const id = '0f0e7d0a-0000-4000-8000-000000000000'

type Owner = {
  readonly word: string
  readonly path: string
  readonly takes: readonly ArgumentName[]
  readonly example: string
  readonly whose: string
}
const owners: readonly Owner[] = [
  { word: 'webhook', path: '/tenants/{tenant}/webhooks', takes: ['tenant'], example: ' initech', whose: 'of a tenant' },
  { word: 'vendor-webhook', path: '/webhooks', takes: [], example: '', whose: 'of the vendor, for all tenants' },
]

const makeAndChange = ({ word, path, takes, example, whose }: Owner): readonly AdminCommand[] => [
  {
    name: `${word} list`,
    does: `List the webhook endpoints ${whose}`,
    takes,
    flags: { all },
    call: { method: 'GET', path },
    shows: {
      rows: 'webhooks',
      columns: [
        ['id', 'id'],
        ['name', 'name'],
        ['url', 'url'],
        ['paused', 'pausedAt'],
        ['disabled', 'disabledAt'],
        ['failing since', 'failingSince'],
      ],
    },
    example: `drawbridge ${word} list${example}`,
  },
  {
    name: `${word} create`,
    does: `Make a webhook endpoint ${whose}; its secret is shown once`,
    takes,
    flags: {
      name: { kind: 'text', says: 'a name for people', required: true },
      address: { kind: 'text', says: 'where it hears, https', member: 'url', required: true },
      event: { ...event, required: true },
    },
    call: { method: 'POST', path },
    done: 'The secret is shown this once.',
    example: `drawbridge ${word} create${example} --name SIEM --address https://siem.example/hook --event access.ended`,
  },
  {
    name: `${word} change`,
    does: `Change a webhook endpoint ${whose}; what is left out stays`,
    takes: [...takes, 'id'],
    flags: {
      name: { kind: 'text', says: 'a name for people' },
      address: { kind: 'text', says: 'where it hears, https', member: 'url' },
      event,
    },
    call: { method: 'PATCH', path: `${path}/{id}`, body: {} },
    example: `drawbridge ${word} change${example} ${id} --event access.ended --event subject.reinstated`,
  },
  {
    name: `${word} secret`,
    does: 'Make a new secret, shown once; the one before it signs beside it for a day',
    takes: [...takes, 'id'],
    call: { method: 'POST', path: `${path}/{id}/secret` },
    done: 'The secret is shown this once.',
    example: `drawbridge ${word} secret${example} ${id}`,
  },
]

const runAndRemove = ({ word, path, takes, example, whose }: Owner): readonly AdminCommand[] => [
  {
    name: `${word} pause`,
    does: 'Let the news wait, three days at most',
    takes: [...takes, 'id'],
    call: { method: 'POST', path: `${path}/{id}/pause` },
    example: `drawbridge ${word} pause${example} ${id}`,
  },
  {
    name: `${word} resume`,
    does: 'Tell the news again, also where it had been disabled',
    takes: [...takes, 'id'],
    call: { method: 'POST', path: `${path}/{id}/resume` },
    example: `drawbridge ${word} resume${example} ${id}`,
  },
  {
    name: `${word} test`,
    does: 'Send a test message; what came of it is in the list of deliveries',
    takes: [...takes, 'id'],
    call: { method: 'POST', path: `${path}/{id}/test` },
    example: `drawbridge ${word} test${example} ${id}`,
  },
  {
    name: `${word} remove`,
    does: `Remove a webhook endpoint ${whose}, and what waits for it`,
    takes: [...takes, 'id'],
    call: { method: 'DELETE', path: `${path}/{id}` },
    confirms: 'Remove the endpoint {id}, and what waits for it?',
    example: `drawbridge ${word} remove${example} ${id}`,
  },
]

export const webhookCommands: readonly AdminCommand[] = owners.flatMap((owner) => [...makeAndChange(owner), ...runAndRemove(owner)])

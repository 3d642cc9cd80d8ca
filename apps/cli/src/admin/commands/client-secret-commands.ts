/** Two secrets of a client at once, while it is moved from the one to the other. */
import type { AdminCommand, Flag, Shows } from '../command.js'

const rows: Shows = {
  rows: 'secrets',
  columns: [
    ['id', 'id'],
    ['made', 'createdAt'],
    ['expires', 'expiresAt'],
    ['last used', 'lastUsedAt'],
  ],
}
const expiresAt = (says: string): Flag => ({ kind: 'text', says })

/** Of a tenant, or of the vendor at the front issuer. */
function secretCommands(noun: 'client' | 'front-issuer client'): readonly AdminCommand[] {
  const isFront = noun === 'front-issuer client'
  const takes = isFront ? (['client'] as const) : (['tenant', 'client'] as const)
  const secrets = `${isFront ? '/front-issuer' : '/tenants/{tenant}'}/clients/{client}/secrets` as const
  const [whose, of] = isFront ? ['a client of the front issuer', 'agent'] : ['a client', 'initech agent']
  return [
    {
      name: `${noun} add-secret`,
      does: `Give ${whose} a second secret beside the one that it has, shown once; both prove it`,
      takes,
      flags: { 'expires-at': expiresAt('when it ends, in UTC; default: never') },
      call: { method: 'POST', path: secrets, body: {} },
      done: 'The secret is shown this once.',
      example: `drawbridge ${noun} add-secret ${of}`,
    },
    {
      name: `${noun} limit-secret`,
      does: `Say when a secret of ${whose} ends; one that has ended stays so`,
      takes: [...takes, 'id'],
      flags: {
        'expires-at': expiresAt('when it ends, in UTC'),
        'no-end': { kind: 'switch', says: 'it has none', member: 'expiresAt', value: null },
      },
      call: { method: 'PATCH', path: `${secrets}/{id}`, body: {} },
      shows: rows,
      example: `drawbridge ${noun} limit-secret ${of} 0f0e7d0a1b2c3d4e --expires-at 2027-01-31T00:00:00Z`,
    },
    {
      name: `${noun} withdraw-secret`,
      does: `Withdraw a secret of ${whose} at once; the last that lives stays`,
      takes: [...takes, 'id'],
      call: { method: 'DELETE', path: `${secrets}/{id}` },
      confirms: 'Withdraw the secret {id} of {client}? Whoever still proves itself by it is refused from then on.',
      shows: rows,
      example: `drawbridge ${noun} withdraw-secret ${of} 0f0e7d0a1b2c3d4e`,
    },
  ]
}

export const clientSecretCommands = secretCommands('client')
export const frontClientSecretCommands = secretCommands('front-issuer client')

/** The keys by which an issuer signs: which there are, by which algorithm, and how they are changed. */
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import type { AdminCommand, Shows } from '../command.js'

export const signingKeyRows: Shows = {
  rows: 'signingKeys',
  columns: [
    ['key id', 'id'],
    ['purpose', 'purpose'],
    ['algorithm', 'algorithm'],
    ['state', 'state'],
    ['activated', 'activatedAt'],
    ['signs from', 'activatesAt'],
    ['withdrawn', 'withdrawnAt'],
  ],
}

export const signingKeyCommands: readonly AdminCommand[] = [
  {
    name: 'signing-key list',
    does: 'List signing keys and their states',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/signing-keys' },
    shows: signingKeyRows,
    example: 'drawbridge signing-key list initech',
  },
  {
    name: 'signing-key algorithm',
    does: 'Show which algorithm is chosen for the tokens of a tenant',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/token-algorithm' },
    shows: { record: true },
    example: 'drawbridge signing-key algorithm initech',
  },
  {
    name: 'signing-key choose',
    does: 'Choose the algorithm of a tenant’s tokens; its key is published now and signs after a day',
    takes: ['tenant'],
    flags: { algorithm: { kind: 'text', says: 'by which its tokens are signed', choices: [...tokenAlgorithms], required: true } },
    call: { method: 'PUT', path: '/tenants/{tenant}/token-algorithm' },
    done: 'When it signs is in: drawbridge signing-key list.',
    example: 'drawbridge signing-key choose initech --algorithm RS256',
  },
  {
    name: 'signing-key rotate',
    does: 'Activate the next key, retire the active one, make a new next one',
    takes: ['tenant'],
    flags: { purpose: { kind: 'text', says: 'whose', choices: ['tokens', 'notices', 'saml', 'id_jag'], required: true } },
    call: { method: 'POST', path: '/tenants/{tenant}/signing-keys/rotate' },
    example: 'drawbridge signing-key rotate initech --purpose tokens',
  },
  {
    name: 'signing-key condemn',
    does: 'Condemn a key that was stolen: out of the JWKS at once, guards are told, and the next key takes its place',
    takes: ['tenant', 'kid'],
    call: { method: 'POST', path: '/tenants/{tenant}/signing-keys/{kid}/compromised' },
    confirms: 'Condemn the key {kid}? Everything that it signed is worth nothing from then on.',
    example: 'drawbridge signing-key condemn initech 8fJ…',
  },
]

/** E-mail domains: claimed by anybody, proven by one. */
import type { AdminCommand } from '../command.js'

const path = '/tenants/{tenant}/domains'
const one = `${path}/{domain}`

export const domainCommands: readonly AdminCommand[] = [
  {
    name: 'domain list',
    does: 'List domains, and whether they are proven',
    takes: ['tenant'],
    call: { method: 'GET', path },
    shows: {
      rows: 'domains',
      columns: [
        ['domain', 'domain'],
        ['proven', 'verifiedAt'],
        ['by', 'proof'],
        ['lapsed', 'lapsedAt'],
        ['failing since', 'failingSince'],
        ['connection', 'connectionId'],
      ],
    },
    example: 'drawbridge domain list initech',
  },
  {
    name: 'domain find',
    does: 'Find the tenant that has a domain proven, and the connection that it leads to; for keys of the vendor',
    takes: ['domain'],
    call: { method: 'GET', path: '/domains/{domain}' },
    example: 'drawbridge domain find initech.example',
  },
  {
    name: 'domain add',
    does: 'Claim a domain, and show the DNS record that proves it; without a connection its addresses count through any of the tenant',
    takes: ['tenant', 'domain'],
    flags: {
      connection: { kind: 'text', says: 'where its people are sent, and through which its addresses count; a name or id' },
      vouch: { kind: 'switch', says: 'the vendor vouches for the proof; for keys of the vendor', member: 'verified' },
    },
    load: async () => (await import('../domain-runs.js')).addDomain,
    calls: [`POST ${path}`],
    example: 'drawbridge domain add initech initech.example --connection Okta',
  },
  {
    name: 'domain verify',
    does: 'Look at the DNS now: a domain that says its challenge is the tenant’s, and is looked at again from then on',
    takes: ['tenant', 'domain'],
    call: { method: 'POST', path: `${one}/verify` },
    done: 'Proven.',
    example: 'drawbridge domain verify initech initech.example',
  },
  {
    name: 'domain move',
    does: 'Lead a domain to another connection of its tenant',
    takes: ['tenant', 'domain', 'connection'],
    call: { method: 'PATCH', path: one, inBody: { connection: 'connectionId' } },
    example: 'drawbridge domain move initech initech.example Entra',
  },
  {
    name: 'domain vouch',
    does: 'Note that the vendor vouches for the proof; for keys of the vendor',
    takes: ['tenant', 'domain'],
    call: { method: 'PATCH', path: one, body: { verified: true } },
    example: 'drawbridge domain vouch initech initech.example',
  },
  {
    name: 'domain lapse',
    does: 'Note that a proof holds no more: nobody new comes in by it',
    takes: ['tenant', 'domain'],
    call: { method: 'PATCH', path: one, body: { verified: false } },
    confirms: 'Note that the proof of {domain} holds no more?',
    example: 'drawbridge domain lapse initech initech.example',
  },
  {
    name: 'domain remove',
    does: 'Give a domain up; people who signed in with it stay who they are',
    takes: ['tenant', 'domain'],
    call: { method: 'DELETE', path: one },
    confirms: 'Give {domain} up? Whoever proves it then may own it.',
    done: 'Given up.',
    example: 'drawbridge domain remove initech initech.example',
  },
]

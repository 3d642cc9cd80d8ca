/**
 * Which resource servers have proven themselves to this process lately: they are not held up by strangers who guess. It says only by whom a request is
 * counted; whether the credential is good now says the statement, each time.
 */
import type { introspectGrant } from '@drawbridge/store/grants'
import type { BrokerDeps } from '../deps.js'
import { createLatestUsed, type LatestUsed } from '../http/latest-used.js'

/** Credentials remembered: a company has a few resource servers, each with one or two. */
const mostProven = 5000

type Shown = Pick<Parameters<typeof introspectGrant>[1], 'tenantId' | 'credentialId' | 'secretHash'>
export type ProvenLately = {
  isProven(shown: Shown): boolean
  note(shown: Shown, isProven: boolean): void
}

const ofProcess = new WeakMap<object, ProvenLately>()

export function provenLately({ clients }: Pick<BrokerDeps, 'clients'>): ProvenLately {
  const known = ofProcess.get(clients)
  if (known) return known
  const made = createProvenLately(createLatestUsed({ most: mostProven, weight: mostProven }))
  ofProcess.set(clients, made)
  return made
}

const createProvenLately = (proven: LatestUsed<string, true>): ProvenLately => ({
  isProven: (shown) => proven.get(keyOf(shown)) === true,
  note: (shown, isProven) => (isProven ? proven.set(keyOf(shown), true, 1) : proven.delete(keyOf(shown))),
})

const keyOf = ({ tenantId, credentialId, secretHash }: Shown): string =>
  `${tenantId} ${credentialId} ${Buffer.from(secretHash).toString('base64')}`

import { describe, expect, it } from 'vitest'
import type { ClientId } from '../tenant/ids.js'
import {
  type ClientRegistration,
  clientRegistrationFromJson,
  clientRegistrationShape,
  everyWay,
  isWayOpen,
  whyNothingNew,
  whyNothingNewAt,
} from './client-registration.js'

const document = (id: string) => ({ kind: 'metadata_document' as const, id })

it('is open in every way where nobody has chosen, and in none where what was chosen cannot be read', () => {
  expect(clientRegistrationFromJson(undefined)).toEqual(everyWay)
  const closed = { metadataDocuments: false, documentHosts: [], dynamic: false, preregistered: false, approvalRequired: true }
  for (const unreadable of [null, 'x', { dynamic: 'yes' }, { unknown: 1 }]) expect(clientRegistrationFromJson(unreadable)).toEqual(closed)
})

it('demands no approval where one was chosen before that could be demanded', () => {
  const { approvalRequired: _, ...before } = { ...everyWay, dynamic: false }
  expect(clientRegistrationFromJson(before)).toEqual({ ...before, approvalRequired: false })
  for (const approvalRequired of ['yes', null, 1])
    expect(clientRegistrationFromJson({ ...before, approvalRequired }).preregistered).toBe(false)
  expect(clientRegistrationShape.safeParse(before).success).toBe(false)
})

it.each([
  { kind: 'metadata_document', preApproved: false, approvalRequired: false, why: undefined },
  { kind: 'metadata_document', preApproved: true, approvalRequired: false, why: undefined },
  { kind: 'metadata_document', preApproved: false, approvalRequired: true, why: 'not_approved' },
  { kind: 'metadata_document', preApproved: true, approvalRequired: true, why: undefined },
  { kind: 'dynamic', preApproved: false, approvalRequired: false, why: undefined },
  { kind: 'dynamic', preApproved: true, approvalRequired: false, why: undefined },
  { kind: 'dynamic', preApproved: false, approvalRequired: true, why: 'not_approved' },
  { kind: 'dynamic', preApproved: true, approvalRequired: true, why: undefined },
  { kind: 'preregistered', preApproved: false, approvalRequired: false, why: undefined },
  { kind: 'preregistered', preApproved: false, approvalRequired: true, why: undefined },
] as const)(
  '$kind, approved: $preApproved, where approval is demanded: $approvalRequired, is refused for $why',
  ({ kind, preApproved, approvalRequired, why }) => {
    const client = { kind, preApproved, id: 'https://a.example/c' as ClientId }
    expect(whyNothingNew({ ...everyWay, approvalRequired }, client)).toBe(why)
  },
)

it.each(['metadataDocuments', 'dynamic'] as const)('opens no closed way (%s) to whoever is approved', (closed) => {
  const client = {
    kind: closed === 'dynamic' ? closed : ('metadata_document' as const),
    preApproved: true,
    id: 'https://a.example/c' as ClientId,
  }
  expect(whyNothingNew({ ...everyWay, [closed]: false, approvalRequired: true }, client)).toBe('way_closed')
})

it.each<{ closed: keyof ClientRegistration; kind: 'metadata_document' | 'dynamic' | 'preregistered' }>([
  { closed: 'metadataDocuments', kind: 'metadata_document' },
  { closed: 'dynamic', kind: 'dynamic' },
  { closed: 'preregistered', kind: 'preregistered' },
])('closes one way alone: $closed', ({ closed, kind }) => {
  const kinds = ['metadata_document', 'dynamic', 'preregistered'] as const
  const open = kinds.filter((each) => isWayOpen({ ...everyWay, [closed]: false }, { kind: each, id: 'https://a.example/c' }))
  expect(open).toEqual(kinds.filter((each) => each !== kind))
})

// MCP authorization, security considerations: domain trust policies; OAuth CIMD §6.8.
it.each([
  { id: 'https://claude.ai/client.json', open: true },
  { id: 'https://CLAUDE.ai/client.json', open: true },
  { id: 'https://claude.ai./client.json', open: true },
  { id: 'https://claude.ai:8443/client.json', open: true },
  { id: 'https://evil.claude.ai/client.json', open: false },
  { id: 'https://claude.ai.evil.example/client.json', open: false },
  { id: 'https://evil.example/claude.ai', open: false },
  { id: 'https://claude.ai@evil.example/client.json', open: false },
  { id: 'https://evil.example\\@claude.ai/client.json', open: false },
  { id: 'no url', open: false },
])('a document at $id is allowed where only claude.ai is: $open', ({ id, open }) => {
  expect(isWayOpen({ ...everyWay, documentHosts: ['claude.ai'] }, document(id))).toBe(open)
})

it.each(['https://claude.ai', 'claude.ai:443', 'Claude.ai', '*.claude.ai', 'claude.ai.', ''])('takes %j for no host', (host) => {
  expect(clientRegistrationShape.safeParse({ ...everyWay, documentHosts: [host] }).success).toBe(false)
})

describe('at the front, where the vendor has chosen, too,', () => {
  const demanded = { ...everyWay, approvalRequired: true }
  const closed = { ...everyWay, dynamic: false }
  const at = (
    clientRegistration: ClientRegistration,
    vendorsRegistration: ClientRegistration,
    preApproved: boolean,
    approvedAtFront?: boolean,
  ) => whyNothingNewAt({ clientRegistration, vendorsRegistration }, { kind: 'dynamic', id: 'c' as ClientId, preApproved, approvedAtFront })

  it('a way is open that both leave open', () => {
    expect(at(everyWay, everyWay, false)).toBe(undefined)
    for (const [here, there] of [
      [closed, everyWay],
      [everyWay, closed],
      [demanded, closed],
      [closed, demanded],
    ] as const)
      expect(at(here, there, true, here !== demanded)).toBe('way_closed')
    expect(at(demanded, closed, false, false)).toBe('way_closed')
  })

  it('an approval of the one is none of the other’s', () => {
    expect(at(demanded, everyWay, false, true)).toBe('not_approved')
    expect(at(everyWay, demanded, true, false)).toBe('not_approved')
    expect(at(everyWay, demanded, true)).toBe('not_approved')
    expect(at(demanded, demanded, true, true)).toBe(undefined)
    expect(at(demanded, demanded, false, true)).toBe('not_approved')
  })

  it('a tenant’s own issuer asks for nothing of the vendor’s', () => {
    const client = { kind: 'dynamic' as const, id: 'c' as ClientId, preApproved: true }
    expect(whyNothingNewAt({ clientRegistration: demanded }, client)).toBe(undefined)
  })
})

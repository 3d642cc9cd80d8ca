import { expect, it } from 'vitest'
import { type ClientRegistration, clientRegistrationFromJson, clientRegistrationShape, everyWay, isWayOpen } from './client-registration.js'

const document = (id: string) => ({ kind: 'metadata_document' as const, id })

it('is open in every way where nobody has chosen, and in none where what was chosen cannot be read', () => {
  expect(clientRegistrationFromJson(undefined)).toEqual(everyWay)
  const closed = { metadataDocuments: false, documentHosts: [], dynamic: false, preregistered: false }
  for (const unreadable of [null, 'x', { dynamic: 'yes' }, { unknown: 1 }]) expect(clientRegistrationFromJson(unreadable)).toEqual(closed)
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

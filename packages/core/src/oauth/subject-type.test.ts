import { describe, expect, it, test } from 'vitest'
import type { ClientId } from '../tenant/ids.js'
import type { ClientKind } from './client.js'
import { deviceGrantType } from './device-grant-type.js'
import { jwtBearerGrantType } from './jwt-bearer.js'
import { decideSubjectType, listsRedirectUris, sectorOf } from './subject-type.js'

describe('by which sub a client knows people (OIDC Core §8)', () => {
  test.each<[ClientKind, 'public' | 'pairwise' | undefined, 'public' | 'pairwise' | undefined, boolean, string]>([
    ['dynamic', undefined, undefined, false, 'public'],
    ['dynamic', undefined, undefined, true, 'pairwise'],
    ['dynamic', 'pairwise', undefined, false, 'pairwise'],
    ['dynamic', 'public', undefined, false, 'public'],
    ['dynamic', 'public', undefined, true, 'pairwise'],
    ['metadata_document', 'public', undefined, true, 'pairwise'],
    ['preregistered', 'public', undefined, true, 'public'],
    ['preregistered', undefined, undefined, true, 'pairwise'],
    ['metadata_document', undefined, 'public', true, 'public'],
    ['metadata_document', 'public', 'public', true, 'public'],
    ['metadata_document', undefined, 'pairwise', false, 'pairwise'],
    ['dynamic', 'public', 'pairwise', true, 'pairwise'],
    ['dynamic', 'public', 'pairwise', false, 'public'],
  ])('of a %s that says %s and was %s, with pairwise by default=%s, is %s', (kind, asked, before, pairwiseByDefault, decided) => {
    expect(decideSubjectType({ asked, before, kind }, { pairwiseByDefault })).toBe(decided)
  })
})

describe('the sector of a client (OIDC Core §8.1)', () => {
  const client = { id: 'dbd_1' as ClientId, kind: 'dynamic' as const, grantTypes: ['authorization_code', 'refresh_token'] }
  const own = 'client:dbd_1'
  const [app, victim] = ['https://app.example/cb', 'https://victim.example/cb']
  test.each([
    { when: 'all of its redirect URIs are there', redirectUris: [app, 'https://APP.example.:8443/other'], sector: 'app.example' },
    {
      when: 'its sector_identifier_uri is there',
      redirectUris: [app],
      sectorIdentifierUri: 'https://sector.example/uris',
      sector: 'sector.example',
    },
  ])('is the host, where $when', ({ sector, ...more }) => {
    expect(sectorOf({ ...client, ...more })).toBe(sector)
  })
  test.each([
    { when: 'its redirect URIs are at several hosts', redirectUris: [app, victim] },
    { when: 'one of them is on the machine of a person', redirectUris: [app, 'http://127.0.0.1/cb'] },
    { when: 'all of them are there', redirectUris: ['http://127.0.0.1/cb'] },
    { when: 'they are there by a certificate of localhost', redirectUris: ['https://localhost/cb'] },
    { when: 'it is a program with a scheme of its own', redirectUris: ['com.victim.example:/cb'] },
    { when: 'it has none', redirectUris: [] },
    {
      when: 'it writes another’s host, and comes as a device',
      redirectUris: [victim],
      grantTypes: ['authorization_code', deviceGrantType],
    },
    {
      when: 'it writes another’s host, and comes by assertions',
      redirectUris: [victim],
      grantTypes: ['authorization_code', jwtBearerGrantType],
    },
    {
      when: 'it writes another’s sector, and comes as a device',
      redirectUris: [victim],
      sectorIdentifierUri: 'https://victim.example/uris',
      grantTypes: [deviceGrantType],
    },
    {
      when: 'it is described by a document, which may say another host while its tokens live',
      kind: 'metadata_document' as const,
      redirectUris: [victim],
    },
  ])('is its own, where $when', (more) => {
    expect(sectorOf({ ...client, ...more })).toBe(own)
  })
  it('is that of its host for a device that an admin registered', () => {
    expect(sectorOf({ ...client, kind: 'preregistered', grantTypes: [deviceGrantType], redirectUris: [app] })).toBe('app.example')
  })
  it('is believed of a document that lists every redirect URI', () => {
    expect(listsRedirectUris([app, victim], [app])).toBe(true)
    for (const document of [[victim], [`${app}/`], app, { 0: app }, null, undefined, [[app]]])
      expect(listsRedirectUris(document, [app])).toBe(false)
    expect(listsRedirectUris([], [])).toBe(false)
  })
})

/** Inside the vendor's wall every number may only fall; what is looser is refused at save, and held to the wall when it was saved before. */
import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.js'
import { aPolicy, aWall } from './fixtures/a-situation.js'
import { defaultSessionLimits, defaultTierLimits } from './tier.js'

const tiers = ['read', 'write', 'sensitive', 'admin'] as const
const wall = aWall(`limits:
  read: { accessTokenSeconds: 500, refreshTokenSeconds: 5000 }
  write: { refreshTokenSeconds: none }
session: { absoluteSeconds: 9000, authenticationMaxAgeSeconds: 700 }`)
const mistakesOf = (text: string, options = {}) => {
  const compiled = compilePolicy(`version: 1\n${text}`, options)
  return compiled.ok ? [] : compiled.error.map(({ path, line, say }) => [path, line, say.split(': ').at(-1)])
}

describe('a wall', () => {
  test('sets its own numbers, looser ones too, and the defaults stand for the rest', () => {
    expect(wall.tierLimits).toEqual({
      ...defaultTierLimits,
      read: { accessTokenSeconds: 500, refreshTokenSeconds: 5000 },
      write: { accessTokenSeconds: 900, refreshTokenSeconds: undefined },
    })
    expect(wall.session).toEqual({ ...defaultSessionLimits, absoluteSeconds: 9000, authenticationMaxAgeSeconds: 700 })
    const loose = aWall('limits: { admin: { accessTokenSeconds: 9999, refreshTokenSeconds: 9999 } }')
    expect(loose.tierLimits.admin).toEqual({ accessTokenSeconds: 9999, refreshTokenSeconds: 9999 })
  })

  test('is what a policy has that says nothing', () => {
    const { tierLimits, outerTierLimits, session } = aPolicy('', { wall })
    expect([tierLimits, outerTierLimits, session]).toEqual([wall.tierLimits, wall.tierLimits, wall.session])
  })
})

describe('a policy', () => {
  test.each(tiers)('tightens tier %s and no other', (tier) => {
    const { tierLimits } = aPolicy(`limits: { ${tier}: { accessTokenSeconds: 60, refreshTokenSeconds: none } }`)
    expect(tierLimits).toEqual({ ...defaultTierLimits, [tier]: { accessTokenSeconds: 60, refreshTokenSeconds: undefined } })
  })

  test.each(['absoluteSeconds', 'idleSeconds', 'authenticationMaxAgeSeconds', 'reconsentSeconds'] as const)('tightens %s', (name) => {
    expect(aPolicy(`session: { ${name}: 60 }`).session).toEqual({ ...defaultSessionLimits, [name]: 60 })
  })

  test('may say the very numbers of the wall', () => {
    const same =
      'limits: { read: { accessTokenSeconds: 500, refreshTokenSeconds: 5000 }, write: { refreshTokenSeconds: none } }\nsession: { absoluteSeconds: 9000, authenticationMaxAgeSeconds: 700 }'
    expect(mistakesOf(same, { wall })).toEqual([])
  })

  test.each([
    ['limits: { read: { accessTokenSeconds: 501 } }', 'limits.read.accessTokenSeconds', 'at most 500'],
    ['limits: { read: { refreshTokenSeconds: 5001 } }', 'limits.read.refreshTokenSeconds', 'at most 5000'],
    ['limits: { write: { refreshTokenSeconds: 1 } }', 'limits.write.refreshTokenSeconds', 'none is allowed'],
    ['limits: { admin: { refreshTokenSeconds: 1 } }', 'limits.admin.refreshTokenSeconds', 'none is allowed'],
    ['session: { absoluteSeconds: 9001 }', 'session.absoluteSeconds', 'at most 9000'],
    ['session: { idleSeconds: 28801 }', 'session.idleSeconds', 'at most 28800'],
    ['session: { authenticationMaxAgeSeconds: 701 }', 'session.authenticationMaxAgeSeconds', 'at most 700'],
  ])('is not looser than the wall: %s', (text, path, says) => {
    expect(mistakesOf(text, { wall })).toEqual([[path, 2, says]])
    expect(mistakesOf(text, { wall, isPublished: true })).toEqual([])
  })

  test('that was saved before is held to the wall, number by number', () => {
    const loose = `limits:
  read: { accessTokenSeconds: 600, refreshTokenSeconds: 6000 }
  write: { accessTokenSeconds: 60, refreshTokenSeconds: 60 }
session: { absoluteSeconds: 10000, idleSeconds: 60, authenticationMaxAgeSeconds: 800, reconsentSeconds: 90 }`
    const { tierLimits, session } = aPolicy(loose, { wall, isPublished: true })
    expect(tierLimits).toEqual({
      ...wall.tierLimits,
      write: { accessTokenSeconds: 60, refreshTokenSeconds: undefined },
    })
    expect(session).toEqual({ absoluteSeconds: 9000, idleSeconds: 60, authenticationMaxAgeSeconds: 700, reconsentSeconds: 90 })
  })
})

import { describe, expect, it } from 'vitest'
import { nodeForSuite } from './official-suite.js'

describe('the Node that runs the official suite', () => {
  it('is this one where it is new enough', () => expect(nodeForSuite('22.0.0', 'sunos-x64')).toBe(process.execPath))

  it('is the one of the packages where it is not', () => {
    const platform = `${process.platform}-${process.arch}`
    expect(nodeForSuite('20.19.0', platform)).toMatch(/node[^/\\]*[/\\]bin[/\\]node(\.exe)?$/)
  })

  it('is nowhere on a platform that has no such package', () =>
    expect(() => nodeForSuite('20.19.0', 'sunos-x64')).toThrow('npm has none for sunos-x64'))
})

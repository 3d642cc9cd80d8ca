/**
 * The peers, installed on demand into a folder of their own. They are no dependency of ours: with what one of them brings along (drivers of
 * five databases, two cloud SDKs, 272 packages and 270 MB) nobody who only builds or tests this project should have to deal.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const peerVersions = {
  federation: { '@boxyhq/saml-jackson': '26.2.0', '@node-saml/node-saml': '5.1.0', samlify: '2.13.1' },
  scim: { scimmy: '1.3.5', 'scimmy-routers': '1.3.2', express: '5.3.0' },
  oauth: { 'oidc-provider': '9.13.3' },
} as const
export type PeerSet = keyof typeof peerVersions
export type PeerName = { [Set in PeerSet]: keyof (typeof peerVersions)[Set] }[PeerSet]

/** Kept between runs. No script of any package runs: none of what they would build is used here. */
export function installPeers(set: PeerSet): string {
  const versions = Object.entries(peerVersions[set])
  const names = versions.map(([name, version]) => `${name}@${version}`)
  const folder = join(tmpdir(), `drawbridge-bench-peers-${versions.map(([, version]) => version).join('-')}`)
  if (existsSync(join(folder, 'installed.json'))) return folder
  mkdirSync(folder, { recursive: true })
  console.error(`  installing ${names.join(', ')} into ${folder}, once: a minute or two …`)
  const flags = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const installed = spawnSync('npm', [...flags, ...names], { encoding: 'utf8' })
  if (installed.status !== 0) throw new Error(`the peers could not be installed:\n${installed.stderr}`)
  spawnSync('cp', [join(folder, 'package.json'), join(folder, 'installed.json')])
  return folder
}

/** What the package exports; its types are not ours, so whoever uses it says what is used. */
export const loadPeer = <Exports>(folder: string, name: PeerName): Exports => createRequire(join(folder, 'package.json'))(name) as Exports

/** The same of a package that is an ES module. */
export async function importPeer<Exports>(folder: string, name: PeerName): Promise<Exports> {
  return (await import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)).href)) as Exports
}

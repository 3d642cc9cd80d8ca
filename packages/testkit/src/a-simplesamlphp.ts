/**
 * A real SimpleSAMLphp as IdP, out of Debian's package, served by PHP itself on loopback. Everything of this run (configuration, keys, sessions,
 * logs) is in a folder of its own, which goes with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { hasTool } from './required-tool.js'

/** Where Debian puts it. */
const program = '/usr/share/simplesamlphp/www'

export const hasSimpleSamlPhp = (): boolean => hasTool('simplesamlphp', 'php', join(program, 'module.php'))

export type Person = { readonly password: string; readonly attributes: Readonly<Record<string, readonly string[]>> }
export type SimpleSamlPhp = {
  readonly url: string
  readonly entityId: string
  readonly metadataUrl: string
  /** Our metadata, as our endpoint gives it: it reads the XML itself, at the next request. */
  trust(spMetadata: string): void
  /** What it does with every service provider, in its own words, over what it does by default. */
  set(options: Readonly<Record<string, string | boolean>>): void
  /** Of what it logged. */
  log(): string
  close(): void
}

/** `people` by user name. An attribute `audience` makes the IdP name that audience in the place of the service provider. */
export async function aSimpleSamlPhp(people: Readonly<Record<string, Person>>): Promise<SimpleSamlPhp> {
  const folder = mkdtempSync(join(tmpdir(), 'simplesamlphp-'))
  const place = (name: string): string => join(folder, name)
  for (const name of ['metadata', 'cert', 'log', 'data', 'tmp', 'sessions']) mkdirSync(place(name))
  const url = `http://127.0.0.1:${await freePort()}/`
  const key = aFixtureKey()
  writeFileSync(
    place('cert/idp.pem'),
    createPrivateKey(key.privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ type: 'pkcs1', format: 'pem' }),
  )
  writeFileSync(place('cert/idp.crt'), key.certificate)
  writeFileSync(place('config.php'), configuration(folder, url))
  writeFileSync(place('authsources.php'), php('config', { people: { 0: 'exampleauth:UserPass', ...peopleOf(people) } }))
  writeFileSync(place('sp.xml'), nobody)
  const set: SimpleSamlPhp['set'] = (options) =>
    writeFileSync(place('metadata/saml20-idp-hosted.php'), php('metadata', { '__DYNAMIC:1__': { ...idp, ...options } }))
  set({})
  const server = spawn('php', ['-d', 'opcache.enable=0', '-S', new URL(url).host, '-t', program], {
    env: { ...process.env, SIMPLESAMLPHP_CONFIG_DIR: folder },
    stdio: 'ignore',
  })
  const metadataUrl = `${url}saml2/idp/metadata.php`
  await untilServed(metadataUrl, server)
  return {
    ...{ url, metadataUrl, entityId: metadataUrl, set },
    trust: (spMetadata) => writeFileSync(place('sp.xml'), spMetadata),
    log: () => (existsSync(place('log/idp.log')) ? readFileSync(place('log/idp.log'), 'utf8') : ''),
    close: () => {
      server.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const misdirect = '$state["SPMetadata"]["entityid"] = $attributes["audience"][0] ?? $state["SPMetadata"]["entityid"];'
const idp = {
  host: '__DEFAULT__',
  privatekey: 'idp.pem',
  certificate: 'idp.crt',
  auth: 'people',
  authproc: { 50: { class: 'core:PHP', code: misdirect } },
}
const nobody = '<?xml version="1.0"?><md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"/>'

const peopleOf = (people: Readonly<Record<string, Person>>) =>
  Object.fromEntries(Object.entries(people).map(([name, { password, attributes }]) => [`${name}:${password}`, attributes]))

const configuration = (folder: string, url: string): string =>
  php('config', {
    ...{ baseurlpath: url, secretsalt: 'of-this-run', 'auth.adminpassword': 'of-this-run', timezone: 'UTC', production: false },
    ...{
      certdir: `${folder}/cert/`,
      loggingdir: `${folder}/log/`,
      datadir: `${folder}/data/`,
      tempdir: `${folder}/tmp`,
      metadatadir: `${folder}/metadata/`,
    },
    ...{ 'logging.handler': 'file', 'logging.logfile': 'idp.log', 'logging.level': 7, 'enable.saml20-idp': true },
    ...{
      'store.type': 'phpsession',
      'session.phpsession.savepath': `${folder}/sessions`,
      'session.cookie.secure': false,
      'session.cookie.samesite': 'Lax',
    },
    'module.enable': { core: true, saml: true, exampleauth: true },
    'metadata.sources': { 0: { type: 'flatfile' }, 1: { type: 'xml', file: `${folder}/sp.xml` } },
  })

type Php = string | number | boolean | readonly string[] | { readonly [name: string]: Php }
const php = (variable: string, value: Php): string => `<?php $${variable} = ${write(value)};\n`
function write(value: Php): string {
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map((each: string) => write(each)).join(', ')}]`
  return `[${Object.entries(value)
    .map(([name, inside]) => `${/^\d+$/.test(name) ? name : write(name)} => ${write(inside as Php)}`)
    .join(', ')}]`
}

async function untilServed(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (server.exitCode !== null) break
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('SimpleSAMLphp does not come up')
}

/** The IdPs' keys: made at the first start, kept in a folder if the caller gives one, so that a restart has the same metadata. */
// Demanded by a dependency of @peculiar/x509, before it.
import 'reflect-metadata'
import { createHash, createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { type CompanyId, companies } from './companies.js'

export type SigningPair = { readonly privateKeyPem: string; readonly certificatePem: string; readonly keyId: string }

export type CompanyKeys = {
  readonly current: SigningPair
  /** For the fault card: certificate expired, and known to nobody. */
  readonly expired: SigningPair
  readonly oidcClientSecret: string
  readonly cookieSecret: string
}

export type SimulatorKeys = Readonly<Record<CompanyId, CompanyKeys>>

const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 }
const dayMs = 86_400_000
const fileName = 'simulator-keys.json'

/** Reads the keys from the folder or makes them. The file is readable by its owner only. */
export async function loadKeys(folder: string | undefined, now: Date): Promise<SimulatorKeys> {
  if (folder === undefined) return makeKeys(now)
  const path = join(folder, fileName)
  const kept = await readFile(path, 'utf8').catch(() => undefined)
  if (kept !== undefined) return JSON.parse(kept) as SimulatorKeys
  const keys = await makeKeys(now)
  await mkdir(folder, { recursive: true })
  await writeFile(path, JSON.stringify(keys, null, 2), { mode: 0o600 })
  return keys
}

/** The certificate as it stands in XML: base64 without armour. */
export function bareCertificate(certificatePem: string): string {
  return certificatePem.replace(/-----[^-]+-----|\s/g, '')
}

export function privateKey(pair: SigningPair): KeyObject {
  return createPrivateKey(pair.privateKeyPem)
}

async function makeKeys(now: Date): Promise<SimulatorKeys> {
  const entries = await Promise.all(companies.map(async (company) => [company.id, await makeCompanyKeys(company.name, now)] as const))
  return Object.fromEntries(entries) as SimulatorKeys
}

async function makeCompanyKeys(name: string, now: Date): Promise<CompanyKeys> {
  const at = (days: number) => new Date(now.getTime() + days * dayMs)
  return {
    current: await makePair(name, at(-1), at(3650)),
    expired: await makePair(name, at(-400), at(-35)),
    oidcClientSecret: randomBytes(32).toString('base64url'),
    cookieSecret: randomBytes(32).toString('base64url'),
  }
}

async function makePair(name: string, notBefore: Date, notAfter: Date): Promise<SigningPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString('hex').replace(/^./, '1'),
    name: `CN=${name} simulator, O=Drawbridge development only`,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys: keys as unknown as x509.X509CertificateCreateSelfSignedParams['keys'],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const certificatePem = certificate.toString('pem')
  return {
    privateKeyPem: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem,
    keyId: createHash('sha256').update(certificatePem).digest('base64url').slice(0, 16),
  }
}

/**
 * Loaded before everything else in the processes of a test run, by NODE_OPTIONS: RSA pairs of the usual lengths are not made anew each time.
 *
 * A pair takes a fifth of a second or a whole one, every SAML connection needs two, and a run saves very many. The first pairs of a run are made as the product
 * makes them and rest in a folder; from then on the pair that was used longest ago is taken again, whichever process asks, but never one
 * that this test file has had already: a "foreign" key that is the company's own would be believed. Tests of the making itself ask for
 * other lengths, or look at one pair alone.
 */
import crypto, { randomUUID, webcrypto } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

const folder = process.env.DRAWBRIDGE_TEST_KEYS
/** Bits: how many pairs. A file that wants more gets more. */
const kept = { 2048: 32, 3072: 12 }
const { generateKeyPair, generateKeyPairSync } = crypto
const { subtle } = webcrypto
const generateKey = subtle.generateKey.bind(subtle)

/** Names sort by the time of the last use, on the clock that all processes have in common and no test sets. */
const { bigint: monotonicTime } = process.hrtime
const freshName = (bits, id) => `${bits}-${String(monotonicTime()).padStart(20, '0')}-${id}.pem`
const idOf = (name) => name.split('-').slice(2).join('-').replace('.pem', '')
const isOrdinary = (type, options) => type === 'rsa' && Object.keys(options).join() === 'modulusLength' && options.modulusLength in kept

/** What this process has given out since its test file began. */
const given = new Set()
const nextFile = Symbol.for('drawbridge.test-keys.next-file')
globalThis[nextFile] = () => given.clear()

/** Undefined: there are fewer than are to be kept, or this file has had them all. */
function takeKept(bits) {
  const names = readdirSync(folder).filter((name) => name.startsWith(`${bits}-`) && name.endsWith('.pem'))
  if (names.length < kept[bits]) return
  for (const name of names.sort()) {
    const id = idOf(name)
    if (given.has(id)) continue
    try {
      const pem = readFileSync(join(folder, name))
      renameSync(join(folder, name), join(folder, freshName(bits, id)))
      given.add(id)
      const privateKey = crypto.createPrivateKey(pem)
      return { privateKey, publicKey: crypto.createPublicKey(privateKey) }
    } catch (error) {
      if (error.code !== 'ENOENT') throw error // or another process was quicker
    }
  }
}

function keep(bits, pair) {
  const id = randomUUID()
  const unfinished = join(folder, `${freshName(bits, id)}.unfinished`)
  writeFileSync(unfinished, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  given.add(id)
  renameSync(unfinished, join(folder, freshName(bits, id)))
  return pair
}

function quickSync(type, options) {
  if (!isOrdinary(type, options)) return generateKeyPairSync(type, options)
  const bits = options.modulusLength
  return takeKept(bits) ?? keep(bits, generateKeyPairSync(type, options))
}

async function quick(type, options) {
  if (!isOrdinary(type, options)) return promisify(generateKeyPair)(type, options)
  const bits = options.modulusLength
  return takeKept(bits) ?? keep(bits, await promisify(generateKeyPair)(type, options))
}

function quickWithCallback(type, options, callback) {
  void quick(type, options).then(
    ({ publicKey, privateKey }) => callback(null, publicKey, privateKey),
    (error) => callback(error),
  )
}
Object.defineProperty(quickWithCallback, promisify.custom, { value: quick })

const ofPrivateKeys = ['sign', 'decrypt', 'unwrapKey']

/** WebCrypto's. The pair itself is of no algorithm. */
async function quickKey(algorithm, extractable, usages) {
  const { name, hash, modulusLength, publicExponent = [] } = algorithm
  if (!name?.startsWith('RSA') || !(modulusLength in kept) || Buffer.from(publicExponent).toString('hex') !== '010001')
    return generateKey(algorithm, extractable, usages)
  const pair = await quick('rsa', { modulusLength })
  const load = (format, key, able, wanted) =>
    subtle.importKey(format, key.export({ type: format, format: 'der' }), { name, hash }, able, wanted)
  const privateKey = await load(
    'pkcs8',
    pair.privateKey,
    extractable,
    usages.filter((usage) => ofPrivateKeys.includes(usage)),
  )
  const publicKey = await load(
    'spki',
    pair.publicKey,
    true,
    usages.filter((usage) => !ofPrivateKeys.includes(usage)),
  )
  return { privateKey, publicKey }
}

if (folder !== undefined) {
  subtle.generateKey = quickKey
  crypto.generateKeyPairSync = quickSync
  crypto.generateKeyPair = quickWithCallback
  syncBuiltinESMExports()
}

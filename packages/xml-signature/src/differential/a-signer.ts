/** A fresh key for tests and for the differential runner. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Signer } from './sign-message.js'

export const aSigner = (kind: Signer['kind'] = 'rsa', bits = 2048): Signer =>
  kind === 'rsa'
    ? { kind, privateKey: generateKeyPairSync('rsa', { modulusLength: bits }).privateKey }
    : { kind, privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }

export const publicKeyOf = ({ privateKey }: Signer): KeyObject => createPublicKey(privateKey)

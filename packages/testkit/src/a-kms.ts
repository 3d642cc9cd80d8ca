/**
 * A key management service as far as we ask it: AWS KMS's JSON protocol over HTTP, with keys of its own, real AES-GCM, the encryption
 * context as associated data, materials that rotate, and faults on demand. It says of each request by whom and for what it was signed, and
 * does not verify the signature: that the library signs right is the library's own affair.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type KmsRequest = {
  readonly action: string
  /** Region and service that the signature is for, from its credential scope. */
  readonly scope: string
  readonly input: Readonly<Record<string, unknown>>
}
/** How the next requests go: as the service refuses, as a server fails, or as a network does. */
export type KmsFault =
  | { readonly kind: 'refused'; readonly type: string; readonly status?: number }
  | { readonly kind: 'silent' }
  | { readonly kind: 'hung up' }
  | { readonly kind: 'answers'; readonly body: string }

export type FakeKms = {
  readonly url: string
  readonly requests: readonly KmsRequest[]
  /** Of a new key. Only its own account may use it. */
  addKey(options?: { readonly region?: string }): string
  /** New material for what is wrapped from now on; the old opens what it wrapped. */
  rotate(arn: string): void
  /** How many materials of the key have wrapped something that was opened or made. */
  materialOf(wrapped: Buffer): number
  setState(arn: string, state: 'Enabled' | 'Disabled' | 'PendingDeletion'): void
  fail(fault: KmsFault | undefined): void
  close(): Promise<void>
}

/** In their error texts, so that a test can see that these go nowhere. */
export const theirText = 'a text of theirs with a session token'

type Key = { readonly arn: string; readonly materials: Buffer[]; state: string }
class Refused extends Error {
  constructor(
    readonly type: string,
    readonly status = 400,
  ) {
    super(type)
  }
}

const account = '111122223333'
const defaultRegion = 'eu-central-1'

export async function aKms(): Promise<FakeKms> {
  const keys = new Map<string, Key>()
  const requests: KmsRequest[] = []
  let fault: KmsFault | undefined
  const server = createServer((request, response) => {
    void readJson(request).then((input) => {
      requests.push({ action: actionOf(request), scope: scopeOf(request), input })
      if (fault) return failWith(fault, response)
      answer(response, () => act(keys, actionOf(request), input))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    addKey: ({ region = defaultRegion } = {}) => {
      const arn = `arn:aws:kms:${region}:${account}:key/${randomUUID()}`
      keys.set(arn, { arn, materials: [randomBytes(32)], state: 'Enabled' })
      return arn
    },
    rotate: (arn) => void keyOf(keys, arn).materials.push(randomBytes(32)),
    materialOf: (wrapped) => unpack(wrapped).material,
    setState: (arn, state) => {
      keyOf(keys, arn).state = state
    },
    fail: (next) => {
      fault = next
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

const actionOf = (request: IncomingMessage): string => String(request.headers['x-amz-target'] ?? '').replace(/^TrentService\./, '')
const scopeOf = (request: IncomingMessage): string =>
  /Credential=[^/]+\/\d{8}\/([^/]+\/[^/]+)\/aws4_request/.exec(String(request.headers.authorization ?? ''))?.[1] ?? 'not signed'

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>
}

function failWith(fault: KmsFault, response: ServerResponse): void {
  if (fault.kind === 'silent') return
  if (fault.kind === 'hung up') return void response.destroy()
  if (fault.kind === 'answers') return write(response, 200, fault.body)
  write(response, fault.status ?? 400, JSON.stringify({ __type: fault.type, message: theirText }))
}

function answer(response: ServerResponse, run: () => Record<string, unknown>): void {
  try {
    write(response, 200, JSON.stringify(run()))
  } catch (refused) {
    const { type, status } = refused instanceof Refused ? refused : new Refused('KMSInternalException', 500)
    write(response, status, JSON.stringify({ __type: type, message: theirText }))
  }
}

function write(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() }).end(body)
}

function keyOf(keys: ReadonlyMap<string, Key>, arn: unknown): Key {
  const key = keys.get(String(arn))
  if (!key) throw new Refused('NotFoundException')
  return key
}

function usable(keys: ReadonlyMap<string, Key>, arn: unknown): Key {
  const key = keyOf(keys, arn)
  if (key.state === 'Disabled') throw new Refused('DisabledException')
  if (key.state !== 'Enabled') throw new Refused('KMSInvalidStateException')
  return key
}

function act(keys: ReadonlyMap<string, Key>, action: string, input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  switch (action) {
    case 'Decrypt': {
      const key = usable(keys, input['KeyId'])
      return { KeyId: key.arn, Plaintext: unwrap(key, input['CiphertextBlob'], input['EncryptionContext']).toString('base64') }
    }
    case 'GenerateDataKeyWithoutPlaintext': {
      if (input['KeySpec'] !== 'AES_256') throw new Refused('ValidationException')
      const key = usable(keys, input['KeyId'])
      return { KeyId: key.arn, CiphertextBlob: wrap(key, randomBytes(32), input['EncryptionContext']) }
    }
    case 'ReEncrypt': {
      const [from, to] = [usable(keys, input['SourceKeyId']), usable(keys, input['DestinationKeyId'])]
      const plain = unwrap(from, input['CiphertextBlob'], input['SourceEncryptionContext'])
      return { SourceKeyId: from.arn, KeyId: to.arn, CiphertextBlob: wrap(to, plain, input['DestinationEncryptionContext']) }
    }
    default:
      throw new Refused('UnknownOperationException')
  }
}

/** Sorted, as the service has it: the order in which a context is sent says nothing. */
const associated = (context: unknown): Buffer => Buffer.from(JSON.stringify(Object.entries((context ?? {}) as object).sort()), 'utf8')

const separator = 0x0a
const tagOctets = 16
const nonceOctets = 12

function wrap(key: Key, plain: Buffer, context: unknown): string {
  const nonce = randomBytes(nonceOctets)
  const material = key.materials.length - 1
  const cipher = createCipheriv('aes-256-gcm', key.materials[material] as Buffer, nonce)
  cipher.setAAD(associated(context))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  const head = Buffer.from(JSON.stringify([key.arn, material]), 'utf8')
  return Buffer.concat([head, Buffer.from([separator]), nonce, body, cipher.getAuthTag()]).toString('base64')
}

function unpack(wrapped: Buffer): { arn: string; material: number; sealed: Buffer } {
  const end = wrapped.indexOf(separator)
  try {
    const [arn, material] = JSON.parse(wrapped.subarray(0, end).toString('utf8')) as [string, number]
    return { arn, material, sealed: wrapped.subarray(end + 1) }
  } catch {
    throw new Refused('InvalidCiphertextException')
  }
}

function unwrap(key: Key, blob: unknown, context: unknown): Buffer {
  const { arn, material, sealed } = unpack(Buffer.from(String(blob), 'base64'))
  if (arn !== key.arn) throw new Refused('IncorrectKeyException')
  const decipher = createDecipheriv('aes-256-gcm', key.materials[material] as Buffer, sealed.subarray(0, nonceOctets))
  decipher.setAAD(associated(context))
  decipher.setAuthTag(sealed.subarray(sealed.length - tagOctets))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceOctets, sealed.length - tagOctets)), decipher.final()])
  } catch {
    throw new Refused('InvalidCiphertextException')
  }
}

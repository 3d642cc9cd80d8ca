/**
 * Master keys that a key management service wrapped: AWS KMS, spoken to by AWS's own client library, which is loaded only where it is used.
 *
 * A wrapped key is worth nothing without a live permission at the KMS. Each is bound to its installation and version by the encryption
 * context, so that one put elsewhere does not open. Making one needs no permission to open it, and neither making nor wrapping anew shows
 * the key to whoever runs the command: the plain key leaves the KMS only towards a process that starts, over TLS, and rests nowhere.
 */
import type { KMSClient } from '@aws-sdk/client-kms'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { KeyCustody } from './key-custody.js'
import { InsecureKmsAddress, type KmsRefusal, refusalOf } from './kms-refusal.js'
import type { MasterKey } from './seal.js'

export type WrappedMasterKey = { readonly version: number; readonly wrapped: Buffer }
/** `arn` is a key's own, never an alias: what an alias means can change under what it wrapped. */
export type KmsKey = { readonly arn: string; readonly region: string }

export type Kms = {
  /** Opens them one after the other; none is given where one is refused. */
  unwrap(wrapped: readonly WrappedMasterKey[], installation: string): Promise<Result<readonly MasterKey[], KmsRefusal>>
  /** A new key that nobody has seen, wrapped. */
  create(version: number, installation: string): Promise<Result<WrappedMasterKey, KmsRefusal>>
  /** The same keys, wrapped under the newest material of `to`, which is in the same region. The KMS does it within itself. */
  rewrap(wrapped: readonly WrappedMasterKey[], installation: string, to: KmsKey): Promise<Result<readonly WrappedMasterKey[], KmsRefusal>>
}

/** Waits of one request, tries of one request (the library waits longer between each), and the whole of one call of ours. */
export type KmsLimits = {
  readonly connectMs: number
  readonly answerMs: number
  readonly tries: number
  readonly wholeMs: number
}
const kmsLimits: KmsLimits = { connectMs: 3000, answerMs: 5000, tries: 4, wholeMs: 30_000 }

const masterKeyOctets = 32

/** What the KMS authenticates beside the key, and writes into its own trail with each use. */
const contextOf = (installation: string, version: number) => ({
  'drawbridge-installation': installation,
  'drawbridge-master-key': String(version),
})

export const kmsCustody = (kms: Kms, wrapped: readonly WrappedMasterKey[]): KeyCustody => ({
  open: (installation) => kms.unwrap(wrapped, installation),
})

export function createKms(key: KmsKey, limits: KmsLimits = kmsLimits): Kms {
  const withClient = async <T>(ask: (asking: Asking) => Promise<T>): Promise<T> => {
    const library = await import('@aws-sdk/client-kms')
    const client = new library.KMSClient({
      region: key.region,
      maxAttempts: limits.tries,
      requestHandler: { connectionTimeout: limits.connectMs, requestTimeout: limits.answerMs, throwOnRequestTimeout: true },
    })
    holdToTls(client)
    try {
      return await ask({ library, client, key, within: { abortSignal: AbortSignal.timeout(limits.wholeMs) } })
    } finally {
      client.destroy()
    }
  }
  return {
    unwrap: (wrapped, installation) => withClient((asking) => each(wrapped, (one) => unwrapOne(asking, one, installation))),
    create: (version, installation) => withClient((asking) => createOne(asking, version, installation)),
    rewrap: (wrapped, installation, to) => withClient((asking) => each(wrapped, (one) => rewrapOne(asking, one, installation, to))),
  }
}

type Asking = {
  readonly library: typeof import('@aws-sdk/client-kms')
  readonly client: KMSClient
  readonly key: KmsKey
  readonly within: { readonly abortSignal: AbortSignal }
}

async function each<T>(
  wrapped: readonly WrappedMasterKey[],
  ask: (one: WrappedMasterKey) => Promise<Result<T, KmsRefusal>>,
): Promise<Result<readonly T[], KmsRefusal>> {
  const answers: T[] = []
  for (const one of wrapped) {
    const answer = await ask(one)
    if (!answer.ok) return answer
    answers.push(answer.value)
  }
  return ok(answers)
}

/** The key is named, so that what another key wrapped is refused even where we may use that, too. */
async function unwrapOne(
  asking: Asking,
  { version, wrapped }: WrappedMasterKey,
  installation: string,
): Promise<Result<MasterKey, KmsRefusal>> {
  const { library, client, key, within } = asking
  const asked = { action: 'kms:Decrypt', keyArn: key.arn, version }
  const input = { KeyId: key.arn, CiphertextBlob: wrapped, EncryptionContext: contextOf(installation, version) }
  try {
    const { Plaintext: plain, KeyId: by } = await client.send(new library.DecryptCommand(input), within)
    if (by !== key.arn || plain?.length !== masterKeyOctets) return err({ ...asked, reason: 'kms_answer_unusable' })
    const opened = { version, key: Buffer.from(plain) }
    plain.fill(0)
    return ok(opened)
  } catch (thrown) {
    return err(refusalOf(thrown, asked))
  }
}

async function createOne(asking: Asking, version: number, installation: string): Promise<Result<WrappedMasterKey, KmsRefusal>> {
  const { library, client, key, within } = asking
  const asked = { action: 'kms:GenerateDataKeyWithoutPlaintext', keyArn: key.arn, version }
  const input = { KeyId: key.arn, KeySpec: library.DataKeySpec.AES_256, EncryptionContext: contextOf(installation, version) }
  try {
    const answer = await client.send(new library.GenerateDataKeyWithoutPlaintextCommand(input), within)
    return wrappedIn(answer.CiphertextBlob, answer.KeyId === key.arn, asked)
  } catch (thrown) {
    return err(refusalOf(thrown, asked))
  }
}

async function rewrapOne(
  asking: Asking,
  one: WrappedMasterKey,
  installation: string,
  to: KmsKey,
): Promise<Result<WrappedMasterKey, KmsRefusal>> {
  const { library, client, key, within } = asking
  const asked = { action: 'kms:ReEncryptFrom and kms:ReEncryptTo', keyArn: to.arn, version: one.version }
  const context = contextOf(installation, one.version)
  const input = {
    SourceKeyId: key.arn,
    CiphertextBlob: one.wrapped,
    SourceEncryptionContext: context,
    DestinationKeyId: to.arn,
    DestinationEncryptionContext: context,
  }
  try {
    const answer = await client.send(new library.ReEncryptCommand(input), within)
    return wrappedIn(answer.CiphertextBlob, answer.KeyId === to.arn && answer.SourceKeyId === key.arn, asked)
  } catch (thrown) {
    return err(refusalOf(thrown, asked))
  }
}

/** The form of what `DRAWBRIDGE_WRAPPED_MASTER_KEYS` holds is judged there; here only that the right key made it. */
function wrappedIn(
  blob: Uint8Array | undefined,
  isByTheKey: boolean,
  asked: Pick<KmsRefusal, 'action' | 'keyArn' | 'version'>,
): Result<WrappedMasterKey, KmsRefusal> {
  if (!isByTheKey || blob === undefined || blob.length === 0) return err({ ...asked, reason: 'kms_answer_unusable' })
  return ok({ version: asked.version, wrapped: Buffer.from(blob) })
}

const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]', '::1']

/** The library takes the address from its own settings, too; wherever it came from, a key is not carried in the clear. */
function holdToTls(client: KMSClient): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { protocol, hostname } = args.request as { readonly protocol?: string; readonly hostname?: string }
      if (protocol !== 'https:' && !loopbackHosts.includes(hostname ?? '')) throw new InsecureKmsAddress()
      return next(args)
    },
    { step: 'build', name: 'holdToTls' },
  )
}

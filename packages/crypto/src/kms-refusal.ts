/** Why a KMS did not do what was asked, in our words: theirs may quote a signed request, session token included. */

export const kmsRefusals = {
  kms_denied: {
    say: 'the KMS does not allow it',
    remedy: 'give the role of this process that action on the key, with a condition that fits the encryption context',
  },
  kms_credentials_unusable: {
    say: 'the KMS was asked without usable credentials',
    remedy:
      'give this process a role, or credentials where the AWS library looks for them (environment, web identity, container, instance)',
  },
  kms_wrapped_for_another: {
    say: 'the wrapped key does not open in this place',
    remedy:
      'it was made for another installation or another version, under another KMS key, or the text is damaged: give this process the text that "drawbridge master-key create" printed for this database',
  },
  kms_key_unknown: { say: 'the KMS has no such key', remedy: 'correct DRAWBRIDGE_KMS_KEY: region, account and id' },
  kms_key_unusable: {
    say: 'the KMS key is disabled or about to be deleted',
    remedy: 'enable it again, or cancel its deletion: when it is gone, everything sealed in this database is lost',
  },
  kms_key_unfit: { say: 'the KMS key is of another kind', remedy: 'name a symmetric key for encryption and decryption' },
  kms_throttled: {
    say: 'the KMS is asked too often',
    remedy: 'start again in a moment; raise the request quota of the account if it stays',
  },
  kms_unavailable: { say: 'the KMS cannot do it now', remedy: 'start again in a moment; what is running needs it no more' },
  kms_unreachable: {
    say: 'the KMS did not answer in time',
    remedy: 'let this process reach the KMS of the region, over https (AWS_ENDPOINT_URL_KMS names another address of it)',
  },
  kms_address_insecure: {
    say: 'the address of the KMS is not https, and it answers with keys',
    remedy: 'correct AWS_ENDPOINT_URL_KMS or AWS_ENDPOINT_URL: http is for loopback alone',
  },
  kms_answer_unusable: {
    say: 'the KMS answered something else than what was asked',
    remedy: 'see that DRAWBRIDGE_KMS_KEY and AWS_ENDPOINT_URL_KMS lead to the KMS that you mean',
  },
} as const satisfies Record<string, { say: string; remedy: string }>

export type KmsReason = keyof typeof kmsRefusals
/** `action` as IAM names it; `name` and `requestId` are theirs and hold no secret. */
export type KmsRefusal = {
  readonly reason: KmsReason
  readonly action: string
  readonly keyArn: string
  readonly version: number
  readonly name?: string
  readonly requestId?: string
}

/** One sentence with a remedy, for whoever starts the process. */
export function sayKmsRefusal({ reason, action, keyArn, version, name, requestId }: KmsRefusal): string {
  const { say, remedy } = kmsRefusals[reason]
  const theirs = [name, requestId === undefined ? undefined : `request ${requestId}`].filter((part) => part !== undefined)
  const said = theirs.length === 0 ? '' : ` (${theirs.join(', ')})`
  return `${action} for version ${version} of the master key with ${keyArn}: ${say}${said}: ${remedy}`
}

/** A fault of our own, raised inside the library's request and recognised when it comes out. */
export class InsecureKmsAddress extends Error {
  constructor() {
    super('the address of the KMS is not https')
    this.name = 'InsecureKmsAddress'
  }
}

const reasonByName: Readonly<Record<string, KmsReason>> = {
  AccessDeniedException: 'kms_denied',
  CredentialsProviderError: 'kms_credentials_unusable',
  ExpiredTokenException: 'kms_credentials_unusable',
  IncompleteSignatureException: 'kms_credentials_unusable',
  InvalidSignatureException: 'kms_credentials_unusable',
  MissingAuthenticationTokenException: 'kms_credentials_unusable',
  TokenProviderError: 'kms_credentials_unusable',
  UnrecognizedClientException: 'kms_credentials_unusable',
  IncorrectKeyException: 'kms_wrapped_for_another',
  InvalidCiphertextException: 'kms_wrapped_for_another',
  NotFoundException: 'kms_key_unknown',
  DisabledException: 'kms_key_unusable',
  KMSInvalidStateException: 'kms_key_unusable',
  InvalidKeyUsageException: 'kms_key_unfit',
  UnsupportedOperationException: 'kms_key_unfit',
  LimitExceededException: 'kms_throttled',
  ThrottlingException: 'kms_throttled',
  TooManyRequestsException: 'kms_throttled',
  AbortError: 'kms_unreachable',
  TimeoutError: 'kms_unreachable',
  InsecureKmsAddress: 'kms_address_insecure',
}

type Thrown = {
  readonly name?: unknown
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
}

/** What the library threw, without its text. What we do not know is unusable, never good. */
export function refusalOf(thrown: unknown, asked: Pick<KmsRefusal, 'action' | 'keyArn' | 'version'>): KmsRefusal {
  const { name, $metadata } = (thrown ?? {}) as Thrown
  const known = typeof name === 'string' && Object.hasOwn(reasonByName, name) ? reasonByName[name] : undefined
  return {
    ...asked,
    reason: known ?? reasonByStatus(thrown as Thrown),
    ...(typeof name === 'string' && { name }),
    ...($metadata?.requestId !== undefined && { requestId: $metadata.requestId }),
  }
}

function reasonByStatus({ code, $metadata }: Thrown): KmsReason {
  const status = $metadata?.httpStatusCode
  if (status === undefined) return typeof code === 'string' ? 'kms_unreachable' : 'kms_answer_unusable'
  return status >= 500 ? 'kms_unavailable' : 'kms_answer_unusable'
}

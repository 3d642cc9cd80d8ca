/** Every refusal of the SCIM endpoints. `scimType` is the wire word of RFC 7644 §3.12, where there is one. */
export const scimErrors = {
  scim_token_missing: { status: 401, scimType: undefined, spec: 'RFC 7644 §2', say: 'a bearer token is needed' },
  scim_token_invalid: { status: 401, scimType: undefined, spec: 'RFC 7644 §2', say: 'the bearer token is not valid' },
  scim_scope_missing: {
    status: 403,
    scimType: undefined,
    spec: 'RFC 6750 §3.1',
    say: 'the access token holds no scope of SCIM',
  },
  scim_scope_exceeded: {
    status: 403,
    scimType: undefined,
    spec: 'RFC 6750 §3.1',
    say: 'the scope of the token does not cover this change, which was not made',
  },
  scim_body_malformed: {
    status: 400,
    scimType: 'invalidSyntax',
    spec: 'RFC 7644 §3.12',
    say: 'the body is not a JSON object that this endpoint understands',
  },
  scim_value_invalid: {
    status: 400,
    scimType: 'invalidValue',
    spec: 'RFC 7644 §3.12',
    say: 'an attribute has a value that it cannot have',
  },
  scim_filter_invalid: {
    status: 400,
    scimType: 'invalidFilter',
    spec: 'RFC 7644 §3.4.2.2',
    say: 'the filter cannot be read, or names an attribute that cannot be searched',
  },
  scim_path_invalid: { status: 400, scimType: 'invalidPath', spec: 'RFC 7644 §3.5.2', say: 'the path of an operation cannot be read' },
  scim_no_target: { status: 400, scimType: 'noTarget', spec: 'RFC 7644 §3.5.2', say: 'the path of an operation matches nothing' },
  scim_mutability: { status: 400, scimType: 'mutability', spec: 'RFC 7644 §3.5.2', say: 'the attribute cannot be changed or removed' },
  scim_unique: {
    status: 409,
    scimType: 'uniqueness',
    spec: 'RFC 7644 §3.3',
    say: 'a user with this userName or externalId exists already',
  },
  scim_group_unique: {
    status: 409,
    scimType: 'uniqueness',
    spec: 'RFC 7644 §3.3',
    say: 'a group with this displayName or externalId exists already',
  },
  scim_users_too_many: {
    status: 400,
    scimType: undefined,
    spec: 'RFC 7644 §3.12',
    say: 'this connection has as many people, or with those who left four times as many, as the limit DRAWBRIDGE_DIRECTORY_USERS: delete who is gone, or ask whoever runs this service',
  },
  scim_groups_too_many: {
    status: 400,
    scimType: undefined,
    spec: 'RFC 7644 §3.12',
    say: 'this connection has as many groups as the limit DRAWBRIDGE_DIRECTORY_GROUPS: delete those that no rule needs, or send fewer',
  },
  scim_not_found: { status: 404, scimType: undefined, spec: 'RFC 7644 §3.12', say: 'there is no such resource' },
  scim_version_stale: { status: 412, scimType: undefined, spec: 'RFC 7644 §3.14', say: 'the resource has another version by now' },
  scim_cursor_invalid: {
    status: 400,
    scimType: 'invalidCursor',
    spec: 'RFC 9865 §2.3',
    say: 'the cursor is not one of ours, or belongs to another question',
  },
  scim_cursor_expired: { status: 400, scimType: 'expiredCursor', spec: 'RFC 9865 §2.3', say: 'the cursor is too old; begin again' },
  scim_count_invalid: {
    status: 400,
    scimType: 'invalidCount',
    spec: 'RFC 9865 §2.3',
    say: 'the count of a page with a cursor is a whole number',
  },
  scim_bulk_too_large: {
    status: 413,
    scimType: undefined,
    spec: 'RFC 7644 §3.7.4',
    say: 'the bulk request holds more operations than are allowed',
  },
  scim_bulk_limited: {
    status: 429,
    scimType: undefined,
    spec: 'RFC 6585 §4',
    say: 'the token has asked for too many operations of this kind; this one was not done: send it again a little later',
  },
  scim_bulk_late: {
    status: 503,
    scimType: undefined,
    spec: 'RFC 7644 §3.7.3',
    say: 'the operation had no turn in time, or came behind the limit bulkSeconds of its request; it was not done: send it again',
  },
  scim_bulk_path_unknown: { status: 404, scimType: undefined, spec: 'RFC 7644 §3.7', say: 'the operation names no endpoint that takes it' },
  scim_bulk_reference_unknown: {
    status: 400,
    scimType: 'invalidValue',
    spec: 'RFC 7644 §3.7.2',
    say: 'the operation names a bulkId that stands for nothing: it is not in this request, or was refused',
  },
  scim_bulk_circular: { status: 409, scimType: undefined, spec: 'RFC 7644 §3.7.1', say: 'operations name each other in a circle' },
  scim_me_absent: { status: 501, scimType: undefined, spec: 'RFC 7644 §3.11', say: 'a directory is nobody: there is no /Me here' },
  scim_filter_not_here: { status: 403, scimType: undefined, spec: 'RFC 7644 §4', say: 'discovery endpoints do not take a filter' },
} as const satisfies Record<
  string,
  { readonly status: number; readonly scimType: string | undefined; readonly spec: string; readonly say: string }
>

export type ScimErrorReason = keyof typeof scimErrors
/** `detail` goes on the wire: it names attributes and paths, never values. */
export type ScimError = { readonly reason: ScimErrorReason; readonly detail?: string }

export type ScimErrorBody = {
  readonly schemas: readonly [string]
  readonly status: string
  readonly scimType?: string
  readonly detail: string
}

/** Okta's test compares it exactly. */
export const scimContentType = 'application/scim+json; charset=utf-8'

/** @spec RFC 7644 §3.12 `status` is a string */
export const scimErrorMessage = (status: number, detail: string, scimType?: string): ScimErrorBody => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
  status: String(status),
  ...(scimType === undefined ? {} : { scimType }),
  detail,
})

export function scimErrorBody(error: ScimError): ScimErrorBody {
  const entry = scimErrors[error.reason]
  return scimErrorMessage(entry.status, error.detail === undefined ? entry.say : `${entry.say}: ${error.detail}`, entry.scimType)
}

/** Named limits of SCIM. */
export const scimLimits = {
  bodyBytes: 256 * 1024,
  /** A whole list of members: a directory that knows no PATCH sends it at every change. */
  groupBodyBytes: 8 * 1024 * 1024,
  /** Of one PATCH: those that it holds, and those that its objects without a path say. */
  operations: 100,
  /** Of one PATCH: of members and other values with its filters, each term of them, and with the values that it adds or removes. A long text counts as several. */
  comparisons: 1_000_000,
  /** Of a PATCH that is refused: how often it may speak of who leaves, and is read. */
  refusedOperations: 10_000,
  pageSize: 200,
  defaultPageSize: 100,
  filterCharacters: 4_096,
  filterTerms: 50,
  filterDepth: 10,
  textCharacters: 16_384,
  arrayItems: 1_000,
  /** In one object: a resource, an extension, a complex value. */
  names: 1_000,
  /** What is kept of a resource, members apart, about as long as it is in JSON. */
  documentCharacters: 256 * 1024,
  depth: 6,
  /** Names in `attributes` or `excludedAttributes`. */
  projectedNames: 100,
  cursorSeconds: 3_600,
  bulkOperations: 1_000,
  bulkBytes: 1_024 * 1_024,
  /** From when on no further operation of a request is begun; what is under way is done. */
  bulkSeconds: 30,
} as const

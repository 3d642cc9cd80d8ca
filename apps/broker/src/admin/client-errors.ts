/** Refusals of the admin API that are about clients. */
export const clientErrors = {
  sector_identifier_unusable: {
    code: 'invalid_request',
    status: 400,
    spec: 'OIDC Core §8.1',
    title: 'No such sector',
    say: 'the sectorIdentifierUri cannot be read, or is no JSON array that lists every redirect URI of the client; see errors',
  },
  secrets_full: {
    code: 'conflict',
    status: 409,
    spec: 'ours',
    title: 'Two secrets live',
    say: 'this client has two secrets already: withdraw the one that it uses no more (client show says when each was used last)',
  },
  last_secret: {
    code: 'conflict',
    status: 409,
    spec: 'ours',
    title: 'The last secret',
    say: 'no other secret of this client lives: give it another first, or block the client',
  },
  secret_ends_before_now: {
    code: 'invalid_request',
    status: 400,
    spec: 'ours',
    title: 'An end that is over',
    say: 'a secret ends later than now: withdraw it to end it at once',
  },
  client_document_changed: {
    code: 'conflict',
    status: 409,
    spec: 'OAuth CIMD §6',
    title: 'Another document',
    say: 'the document of this client is no longer the one with that digest: look at it again, then approve what you have seen',
  },
  client_changed: {
    code: 'precondition_failed',
    status: 412,
    spec: 'RFC 9110 §15.5.13',
    title: 'Client changed',
    say: 'the client is no longer what If-Match says: somebody changed it, or its document did; read it again, then change what you have seen',
  },
  client_logo_unusable: {
    code: 'failed_dependency',
    status: 424,
    spec: 'RFC 7591 §2',
    title: 'No picture there',
    say: 'where this client says that its logo is, there is none that can be shown: a PNG, JPEG, GIF or WebP that does not move, of at most 128 KB and 1024 pixels on each side; see errors',
  },
  client_logo_changed: {
    code: 'conflict',
    status: 409,
    spec: 'OAuth CIMD, displaying logos to end-users',
    title: 'Another picture',
    say: 'what is at the address of the logo is not the picture with that digest: look at it again, then approve what you have seen',
  },
} as const

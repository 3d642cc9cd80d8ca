/** What may be wrong between us and a transmitter of security events: recorded with the stream, and shown to its admin. */
export const streamTroubles = {
  transmitter_unreachable: 'the transmitter cannot be reached, or answers with 5xx',
  transmitter_busy: 'the transmitter says that we ask too often',
  transmitter_says_no: 'the transmitter does not accept our credential, or does not let us do this',
  transmitter_answer_malformed: 'the transmitter answered with what is no answer to this',
  transmitter_answer_too_large: 'the transmitter answered with more than we read',
  transmitter_lacks_this: 'the configuration document of the transmitter cannot be had, is another issuer’s, or names no endpoint for this',
  transmitter_named_unusably:
    'the name by which the transmitter calls us (aud) cannot be kept in the connection: nothing was changed here, though the stream may be made there',
  stream_gone: 'the transmitter knows no such stream',
  token_endpoint_says_no: 'the token endpoint does not give us an access token',
  credential_unreadable: 'our credential cannot be unsealed; enter it again',
  stream_of_another_transmitter:
    'the connection names another transmitter, or another address of it, than our credential was given for; nothing is sent there until the stream is set up anew',
  connection_hears_nobody: 'the configuration of the connection names no transmitter (ssf)',
  event_keys_awaited: 'the keys of the transmitter cannot be had; its events wait',
  event_for_another_audience:
    'its events are for another audience than the connection expects (ssf.audience); they are neither acknowledged nor lost, and wait until that is mended',
  event_of_another_issuer:
    'its events are of another issuer than the connection hears (ssf.issuer); they are neither acknowledged nor lost, and wait until that is mended',
  unmatched_signals_full:
    'an event names somebody who is not here, and there is no room to keep it; it is not acknowledged and comes again: lift what no longer matters (unmatched-signal list)',
  event_not_kept: 'an event could not be written down; it is not acknowledged and comes again',
  verification_unanswered: 'the stream did not answer when it was asked to verify itself',
} as const

export type StreamTrouble = keyof typeof streamTroubles

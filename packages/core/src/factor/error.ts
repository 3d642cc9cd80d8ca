/** Refusals of a second factor of ours: shown on its page, which asks again. What somebody may probe shares its words. */

type FactorErrorEntry = { readonly code: 'access_denied'; readonly status: 400 | 403 | 429; readonly spec: string; readonly say: string }

const wrongCode = 'that code is not right, or was used already: wait until the app shows the next one'
const wrongPasskey = 'that passkey was not accepted: try again, or another one of yours'
const entry = (status: FactorErrorEntry['status'], spec: string, say: string): FactorErrorEntry => ({
  code: 'access_denied',
  status,
  spec,
  say,
})

export const factorErrors = {
  factor_code_wrong: entry(400, 'RFC 6238 §4', wrongCode),
  factor_step_used: entry(400, 'RFC 6238 §5.2', wrongCode),
  factor_guesses_spent: entry(
    429,
    'NIST SP 800-63B §3.2.2',
    'too many wrong codes in a row: wait a while, and if that does not help, ask your administrators to reset your second factor',
  ),
  passkey_unknown: entry(400, 'WebAuthn §7.2', wrongPasskey),
  passkey_unverified: entry(400, 'WebAuthn §7.2', wrongPasskey),
  passkey_challenge_over: entry(400, 'WebAuthn §13.4.3', wrongPasskey),
  passkey_counter_back: entry(400, 'WebAuthn §6.1.1', wrongPasskey),
  passkey_known: entry(400, 'WebAuthn §7.1', 'that passkey is enrolled already: choose another one'),
  passkey_not_enrolled: entry(400, 'WebAuthn §7.1', 'that passkey could not be enrolled: try again, or on another device'),
  totp_not_enrolled: entry(
    400,
    'RFC 6238',
    'that is not the code of the new key: add the key shown here to your app, and enter what it shows',
  ),
  enrolment_code_wrong: entry(400, 'ours', 'that code does not work: it is of another person, was used, has run out, or was mistyped'),
  enrolment_not_permitted: entry(403, 'ours', 'nothing may be enrolled here now: start again in your application'),
  factor_gone: entry(400, 'ours', 'that one is not among yours any more'),
  factor_not_shown: entry(403, 'ours', 'show one of your factors once more before you change anything'),
  factor_last: entry(403, 'ours', 'that is your last one: add another one first, or ask your administrators to reset your second factor'),
  factor_too_weak: entry(
    403,
    'ours',
    'a code of an app takes no passkey away: show a passkey, or ask your administrators to reset your second factor',
  ),
  factor_too_young: entry(
    403,
    'ours',
    'the one that you have shown was added lately, and takes none away that is older until a day after: show another one, or wait',
  ),
  factors_enough: entry(403, 'ours', 'you have as many factors as one person may have'),
} as const satisfies Record<string, FactorErrorEntry>
export type FactorRefusal = keyof typeof factorErrors

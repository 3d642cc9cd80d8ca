import { expect, test } from 'vitest'
import { instant } from '../instant.js'
import { judgePushAnswer, longestPauseSeconds, nextPushAt } from './push-answer.js'

const failure = (err: unknown, description?: string) => JSON.stringify({ err, description })

test.each([
  { when: 'it is taken', status: 202, body: '', means: { kind: 'taken' } },
  { when: 'another success is answered, which says nothing', status: 200, body: '', means: { kind: 'trouble', say: 'answered 200' } },
  { when: 'no key of ours is known', status: 400, body: failure('invalid_key'), means: { kind: 'disbelieved', code: 'invalid_key' } },
  { when: 'it is for another', status: 400, body: failure('invalid_audience'), means: { kind: 'disbelieved', code: 'invalid_audience' } },
  { when: 'it is from another', status: 400, body: failure('invalid_issuer'), means: { kind: 'disbelieved', code: 'invalid_issuer' } },
  { when: 'it is malformed', status: 400, body: failure('invalid_request'), means: { kind: 'disbelieved', code: 'invalid_request' } },
  {
    when: 'we are not known',
    status: 400,
    body: failure('authentication_failed', 'who\r\nare you?'),
    means: { kind: 'trouble', say: 'answered 400: authentication_failed: who??are you?' },
  },
  {
    when: 'we may not',
    status: 400,
    body: failure('access_denied'),
    means: { kind: 'trouble', say: 'answered 400: access_denied' },
  },
  { when: 'a proxy calls it bad', status: 400, body: '<html>', means: { kind: 'trouble', say: 'answered 400' } },
  { when: 'the failure is no object', status: 400, body: 'null', means: { kind: 'trouble', say: 'answered 400' } },
  { when: 'the code is no text', status: 400, body: failure(7), means: { kind: 'trouble', say: 'answered 400' } },
  { when: 'a code comes with another status', status: 500, body: failure('invalid_key'), means: { kind: 'trouble', say: 'answered 500' } },
])('an answer when $when', ({ status, body, means }) => {
  expect(judgePushAnswer({ status, body: Buffer.from(body) })).toEqual(means)
})

test('the pause doubles, has an end, and chance takes up to half of it', () => {
  const pauses = (chance: number) => [1, 2, 3, 4, 9, 10, 1000].map((failures) => nextPushAt(failures, instant(0), chance) / 1000)
  expect(pauses(0)).toEqual([1, 2, 4, 8, 256, longestPauseSeconds, longestPauseSeconds])
  expect(pauses(1)).toEqual([0.5, 1, 2, 4, 128, longestPauseSeconds / 2, longestPauseSeconds / 2])
})

/** Forms with a file: what browsers write is read, anything else is refused, and nothing throws. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formLimits } from './form.js'
import { parseMultipart } from './multipart.js'

const type = 'multipart/form-data; boundary=----WebKitFormBoundaryA1'
const part = (head: string, content = 'x') => `------WebKitFormBoundaryA1\r\n${head}\r\n\r\n${content}\r\n`
const field = (name: string, content?: string) => part(`Content-Disposition: form-data; name="${name}"`, content)
const file = (name: string, content?: string, filename = 'metadata.xml') =>
  part(`Content-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: text/xml`, content)
const end = '------WebKitFormBoundaryA1--\r\n'
const read = (body: string | Buffer, contentType = type) => parseMultipart(contentType, Buffer.from(body as string))
const shown = (body: string, contentType?: string) => {
  const parsed = read(body, contentType)
  return parsed.ok && { form: { ...parsed.value.form }, files: [...parsed.value.files].map(([name, octets]) => [name, octets.toString()]) }
}

test('fields and files are read as the browser sent them', () => {
  expect(shown(`${field('proof', 'p')}${field('empty', '')}${file('doc', '<a>\r\n--</a>')}${end}`)).toEqual({
    form: { proof: 'p', empty: '' },
    files: [['doc', '<a>\r\n--</a>']],
  })
  expect(shown(`${file('doc', '', '')}${end}`)).toEqual({ form: {}, files: [['doc', '']] })
  expect(shown(`${file('doc', 'x', 'a \\"b\\" ü.xml')}${end}`)).toEqual({ form: {}, files: [['doc', 'x']] })
  expect(shown(end)).toEqual({ form: {}, files: [] })
  expect(shown(`--q\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--q--`, 'multipart/form-data; boundary="q"')).toEqual({
    form: { a: 'x' },
    files: [],
  })
})

test('what a real client writes is read', async () => {
  const body = new FormData()
  body.set('kind', 'saml ü')
  body.set('doc', new Blob(['<md/>'], { type: 'text/xml' }), 'a"b.xml')
  const request = new Request('http://x.example', { method: 'POST', body })
  const parsed = parseMultipart(request.headers.get('content-type') ?? '', Buffer.from(await request.arrayBuffer()))
  expect(parsed.ok && [parsed.value.form['kind'], parsed.value.files.get('doc')?.toString()]).toEqual(['saml ü', '<md/>'])
})

test('a file keeps its octets, and __proto__ is a name like any other', () => {
  const octets = Buffer.from([0, 255, 254, 13, 10])
  const [before = '', after = ''] = `${file('doc', '|')}${field('__proto__')}${end}`.split('|')
  const parsed = read(Buffer.concat([Buffer.from(before), octets, Buffer.from(after)]))
  expect(parsed.ok && parsed.value.files.get('doc')?.equals(octets)).toBe(true)
  expect(parsed.ok && Object.getOwnPropertyDescriptor(parsed.value.form, '__proto__')?.value).toBe('x')
})

test.each([
  { when: 'it names no boundary', body: end, contentType: 'multipart/form-data', reason: 'parameter_malformed' },
  {
    when: 'the boundary is none',
    body: end,
    contentType: `multipart/form-data; boundary=${'a'.repeat(71)}`,
    reason: 'parameter_malformed',
  },
  { when: 'it ends before it is over', body: field('a'), reason: 'parameter_malformed' },
  { when: 'text stands before it', body: `x\r\n${field('a')}${end}`, reason: 'parameter_malformed' },
  { when: 'something stands behind it', body: `${field('a')}${end}${field('b')}`, reason: 'parameter_malformed' },
  { when: 'a delimiter goes on', body: `${field('a', 'x\r\n------WebKitFormBoundaryA1x')}${end}`, reason: 'parameter_malformed' },
  { when: 'a part has no headers', body: `------WebKitFormBoundaryA1\r\nx\r\n${end}`, reason: 'parameter_malformed' },
  { when: 'a part has no name', body: `${part('Content-Disposition: form-data')}${end}`, reason: 'parameter_malformed' },
  { when: 'a part is encoded', body: `${part('Content-Transfer-Encoding: base64')}${end}`, reason: 'parameter_malformed' },
  { when: 'a header comes twice', body: `${part('Content-Type: a\r\nContent-Type: b')}${end}`, reason: 'parameter_malformed' },
  { when: 'its headers are longer than any', body: `${file('a', 'x', 'f'.repeat(3000))}${end}`, reason: 'parameter_malformed' },
  { when: 'a name is longer than any', body: `${field('n'.repeat(formLimits.nameLength + 1))}${end}`, reason: 'parameter_malformed' },
  { when: 'a field repeats', body: `${field('a')}${field('a')}${end}`, reason: 'parameter_repeated' },
  { when: 'a file repeats a field', body: `${field('a')}${file('a')}${end}`, reason: 'parameter_repeated' },
  { when: 'a field holds a NUL', body: `${field('a', 'x\0')}${end}`, reason: 'parameter_malformed' },
  {
    when: 'there are too many parts',
    body: `${Array.from({ length: formLimits.parameters + 1 }, (_, n) => field(`f${n}`)).join('')}${end}`,
    reason: 'parameters_too_many',
  },
])('it is refused when $when', ({ body, contentType, reason }) => {
  expect(read(body, contentType)).toMatchObject({ ok: false, error: { reason } })
})

test('a field that is no UTF-8 is refused', () => {
  const [before = '', after = ''] = `${field('a', '|')}${end}`.split('|')
  const body = Buffer.concat([Buffer.from(before), Buffer.from([255]), Buffer.from(after)])
  expect(parseMultipart(type, body)).toMatchObject({ ok: false, error: { reason: 'parameter_malformed', parameter: 'a' } })
})

test('it never throws, whatever comes', () => {
  const pieces = fc.constantFrom('------WebKitFormBoundaryA1', '\r\n', '--', 'Content-Disposition: form-data; name="a"', ':', '"', 'x')
  fc.assert(fc.property(fc.array(pieces), (all) => void read(all.join(''))))
  fc.assert(fc.property(fc.uint8Array(), fc.string(), (octets, contentType) => void parseMultipart(contentType, Buffer.from(octets))))
})

/** Elements moved, copied, wrapped, stolen: what signature wrapping is made of. */
import { anElement, aPlace, type Mutation, onElement, replaceAt, textOf } from './mutation.js'

const evil = (text: string): string => text.replace(/>(?:ada|grace)@acme\.example</, '>root@evil.example<')

export const moveMutations: Readonly<Record<string, Mutation>> = {
  'move an element': onElement((message, span, random) => {
    const rest = replaceAt(message, span.from, span.to, '')
    const at = aPlace(rest, random)
    return replaceAt(rest, at, at, textOf(message, span))
  }),
  'duplicate an element': onElement((message, span, random) => {
    const at = random.oneIn(2) ? span.to : aPlace(message, random)
    return replaceAt(message, at, at, textOf(message, span))
  }),
  'duplicate an element with another name in it': onElement((message, span, random) => {
    const at = random.pick([span.from, span.to, aPlace(message, random)])
    return replaceAt(message, at, at, evil(textOf(message, span)).replace(/ID="_(\w+)"/, random.oneIn(2) ? 'ID="_evil"' : '$&'))
  }),
  'wrap an element': onElement((message, span, random) => {
    const wrapper = random.pick(['x', 'samlp:Extensions', 'saml:Advice', 'ds:Object', 'Assertion'])
    return replaceAt(message, span.from, span.to, `<${wrapper}>${textOf(message, span)}</${wrapper}>`)
  }),
  'take an element away': onElement((message, span) => replaceAt(message, span.from, span.to, '')),
  'swap two elements': onElement((message, span, random) => {
    const second = anElement(message, random)
    if (second === undefined || second.from < span.to) return message
    return (
      message.slice(0, span.from) +
      textOf(message, second) +
      message.slice(span.to, second.from) +
      textOf(message, span) +
      message.slice(second.to)
    )
  }),
  'take the element of another message': onElement((message, span, random, other) => {
    const stolen = anElement(other, random)
    return stolen === undefined ? message : replaceAt(message, span.from, random.oneIn(2) ? span.from : span.to, textOf(other, stolen))
  }),
  'take the signature of another message': (message, _random, other) => {
    const signature = /<((?:\w+:)?Signature)[ >].*?<\/\1>/s
    const stolen = signature.exec(other)?.[0]
    return stolen === undefined ? message : message.replace(signature, () => stolen)
  },
  'hide the signed element and put an evil one in its place': (message, random) => {
    const assertion = /<((?:\w+:)?Assertion)[ >].*<\/\1>/s.exec(message)?.[0]
    if (assertion === undefined) return message
    const bare = evil(assertion)
      .replace(/<((?:\w+:)?Signature)[ >].*?<\/\1>/s, '')
      .replace('ID="_assertion1"', 'ID="_evil"')
    const holder = random.pick(['saml:Advice', 'samlp:Extensions', 'ds:Object', 'x'])
    return message.replace(assertion, () =>
      random.pick([
        bare + assertion,
        assertion + bare,
        `<${holder}>${assertion}</${holder}>${bare}`,
        bare.replace('</', () => `${assertion}</`),
      ]),
    )
  },
}

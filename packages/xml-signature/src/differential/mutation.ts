/** A change to the text of a message, and the few steps that the mutations share. They know tags and text, not XML. */
import { elementsOf, type Span } from './element-spans.js'
import type { Random } from './random.js'

/** `other` is another honest message, signed by the same keys. */
export type Mutation = (message: string, random: Random, other: string) => string

export const replaceAt = (text: string, from: number, to: number, by: string): string => text.slice(0, from) + by + text.slice(to)
export const anElement = (message: string, random: Random): Span | undefined => {
  const all = elementsOf(message)
  return all.length === 0 ? undefined : random.pick(all)
}
export const textOf = (message: string, { from, to }: Span): string => message.slice(from, to)
/** A place between two tags or inside of text, never inside of a tag. */
export const aPlace = (message: string, random: Random): number => {
  const places = [...message.matchAll(/[<>]/g)].map(({ index, 0: character }) => (character === '>' ? index + 1 : index))
  return places.length === 0 ? 0 : random.pick(places)
}
export const onElement =
  (change: (message: string, span: Span, random: Random, other: string) => string): Mutation =>
  (message, random, other) => {
    const span = anElement(message, random)
    return span === undefined ? message : change(message, span, random, other)
  }
export const startTags = (message: string): readonly RegExpMatchArray[] => [...message.matchAll(/<[A-Za-z_][^\s/>]*/g)]
export const inAStartTag = (message: string, random: Random, insert: string): string => {
  const tags = startTags(message)
  if (tags.length === 0) return message
  const tag = random.pick(tags)
  const at = (tag.index ?? 0) + tag[0].length
  return replaceAt(message, at, at, insert)
}

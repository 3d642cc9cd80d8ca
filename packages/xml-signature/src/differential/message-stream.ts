/** An endless row of messages from one seed: one honest one, then what becomes of it in a dozen mutations. */
import { generateMessage, idPlaces } from './generate-message.js'
import { mutations } from './mutate-message.js'
import { type Random, randomFrom } from './random.js'
import { type Signer, signMessage } from './sign-message.js'

export type StreamedMessage = { readonly message: string; readonly mutations: readonly string[] }

const mutantsPerMessage = 11
const mutationNames = Object.keys(mutations)

export function* messageStream(seed: number, signers: readonly Signer[]): Generator<StreamedMessage> {
  const random = randomFrom(seed)
  let other = honestMessage(random, signers)
  for (;;) {
    const honest = honestMessage(random, signers)
    yield { message: honest, mutations: [] }
    for (let index = 0; index < mutantsPerMessage; index += 1) yield mutant(honest, random, other)
    other = honest
  }
}

function honestMessage(random: Random, signers: readonly Signer[]): string {
  return signMessage(generateMessage(random), random.pick([[idPlaces[0]], [idPlaces[1]], idPlaces]), signers, random)
}

function mutant(honest: string, random: Random, other: string): StreamedMessage {
  const names = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => random.pick(mutationNames))
  const message = names.reduce((text, name) => (text === '' ? text : (mutations[name]?.(text, random, other) ?? text)), honest)
  // What arrives is decoded UTF-8, in which there is no lone surrogate.
  return { message: Buffer.from(message, 'utf8').toString('utf8'), mutations: names }
}

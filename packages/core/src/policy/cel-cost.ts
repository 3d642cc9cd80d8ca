/**
 * The most that evaluating an expression can cost, read off its syntax tree.
 *
 * Each node costs one step, some 25 ns; a comprehension costs its body once per item of the largest list that its range can be; comparing lists
 * and searching them costs their length. Only functions listed here may be used, so nothing with an unknown price gets through.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { err, ok, type Result } from '../result.js'
import { policyLimits } from './error.js'
import type { Regexes } from './regexes.js'

export type ExpressionCost = {
  readonly cost: number
  /** Calls of `matches`, which must be moved to the linear-time engine, and of the name they are moved to. */
  readonly matches: readonly ASTNode[]
  /** Attributes of a login that it names. */
  readonly attributes: readonly string[]
}

export type CostRefusal = { readonly reason: 'expression_function'; readonly detail: string; readonly at: number }

/** Price of a function that walks a text: claims are capped at `claimCharacters`, and engines read many characters per step. */
const textWalk = 16
/** Of what looks at no more of a text than a literal is long. */
const textEdge = 2
const regexWalk = 128
/** For each instruction of a pattern: a quarter of what one costs over a whole text where the engine can keep nothing, which few patterns bring it to. */
const regexInstruction = 256
/** What time it is somewhere is asked of the host's time zones, which is slower by far than all else. */
const inTimeZone = 3_000
/** Searching a list is a tight loop of the host's, far cheaper than a step of the evaluator; joining and comparing lists is less so. */
const itemsPerStep = 10
const itemsPerCopy = 3

const priceOf: ReadonlyMap<string, number> = new Map([
  ['size', 1],
  ['startsWith', textEdge],
  ['endsWith', textEdge],
  ['contains', textWalk],
  ['lowerAscii', textWalk],
  ['upperAscii', textWalk],
  ['trim', textWalk],
  ['matches', regexWalk],
  ['matchRe', regexWalk],
  ['int', textWalk],
  ['double', textWalk],
  ['has', 1],
  ['timestamp', textWalk],
  ['duration', textWalk],
  ...[
    'getDate',
    'getDayOfMonth',
    'getDayOfWeek',
    'getDayOfYear',
    'getFullYear',
    'getHours',
    'getMilliseconds',
    'getMinutes',
    'getMonth',
    'getSeconds',
  ].map((name) => [name, textWalk] as const),
])

const comprehensions: ReadonlySet<string> = new Set(['exists', 'all', 'exists_one', 'filter', 'map'])

/** Every function that a condition may use, as its author writes it. */
export const conditionFunctions: readonly string[] = [...priceOf.keys(), ...comprehensions].filter((name) => name !== 'matchRe')

/** The variable that holds the attributes of a login: each a list. It is read by literal names only, so that its cost and its reach are known. */
export const attributesVariable = 'attributes'

type Walk = {
  readonly attributes: Set<string>
  readonly readsAttributes: boolean
  readonly regexes: Regexes
  /** Names of fields that hold lists: claims declared so, and lists of our own variables. */
  readonly listFields: ReadonlySet<string>
  readonly matches: ASTNode[]
  readonly unpriced: { readonly name: string; readonly at: number }[]
}

export type CostOptions = {
  /** The claims that the document's catalogue declares as lists. */
  readonly lists: readonly string[]
  readonly readsAttributes: boolean
  readonly regexes: Regexes
}

export function costOf(ast: ASTNode, { lists, readsAttributes, regexes }: CostOptions): Result<ExpressionCost, CostRefusal> {
  const walk: Walk = {
    attributes: new Set(),
    readsAttributes,
    regexes,
    listFields: new Set([...lists, 'amr', 'scopes']),
    matches: [],
    unpriced: [],
  }
  const cost = price(ast, walk)
  const first = walk.unpriced[0]
  return first === undefined
    ? ok({ cost, matches: walk.matches, attributes: [...walk.attributes] })
    : err({ reason: 'expression_function', detail: first.name, at: first.at })
}

/** Something whose price is not known: remembered, so that the expression is refused. */
function unpriced(name: string, node: ASTNode, walk: Walk): number {
  walk.unpriced.push({ name, at: node.start })
  return 0
}

/** Which attribute a node reads or looks for. `undefined`: none, or one that is not named by a literal. */
function attributeOf(node: ASTNode, walk: Walk): string | undefined {
  if (node.op === '.') return isAttributes(node.args[0], walk) ? node.args[1] : undefined
  if (node.op !== '[]' && node.op !== 'in') return undefined
  const [whole, key] = node.op === '[]' ? node.args : [node.args[1], node.args[0]]
  return isAttributes(whole, walk) && key.op === 'value' && typeof key.args === 'string' ? key.args : undefined
}

const isAttributes = (node: ASTNode, walk: Walk): boolean => walk.readsAttributes && node.op === 'id' && node.args === attributesVariable

function price(node: ASTNode, walk: Walk): number {
  const attribute = attributeOf(node, walk)
  if (attribute !== undefined) {
    walk.attributes.add(attribute)
    return 1
  }
  if (isAttributes(node, walk)) return unpriced('attributes other than by a literal name', node, walk)
  switch (node.op) {
    case 'value':
    case 'id':
      return 1
    case '.':
      return 1 + price(node.args[0], walk)
    case 'call':
      return priceCall(node.args[0], undefined, node.args[1], node, walk)
    case 'rcall':
      return priceCall(node.args[0], node.args[1], node.args[2], node, walk)
    case 'list':
      // Lists of lists are refused, so that a comprehension's variable is always a single value and never a range to multiply.
      return node.args.some((item) => largest(item, walk) > 0) ? unpriced('a list inside a list', node, walk) : 1 + sum(node.args, walk)
    case '!_':
    case '-_':
      return 1 + price(node.args, walk)
    case '?:':
      return 1 + sum(node.args, walk)
    case 'in':
      return 1 + sum(node.args, walk) + Math.ceil(largest(node.args[1], walk) / itemsPerStep)
    case '==':
    case '!=':
    case '+':
      return 1 + sum(node.args, walk) + Math.ceil((largest(node.args[0], walk) + largest(node.args[1], walk)) / itemsPerCopy)
    case '||':
    case '&&':
    case '[]':
    case '-':
    case '*':
    case '/':
    case '%':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return 1 + sum(node.args, walk)
    default:
      return unpriced(String(node.op), node, walk)
  }
}

const sum = (nodes: readonly ASTNode[], walk: Walk): number => nodes.reduce((total, node) => total + price(node, walk), 0)

function priceCall(name: string, receiver: ASTNode | undefined, parameters: readonly ASTNode[], node: ASTNode, walk: Walk): number {
  if (receiver !== undefined && comprehensions.has(name)) {
    if (name === 'map' && parameters.some((parameter) => largest(parameter, walk) > 0)) return unpriced('a list inside a list', node, walk)
    return price(receiver, walk) + Math.max(1, largest(receiver, walk)) * (1 + sum(parameters.slice(1), walk))
  }
  const own = priceOf.get(name)
  if (own === undefined) return unpriced(name, node, walk)
  const isMatch = name === 'matches' || name === 'matchRe'
  if (isMatch) walk.matches.push(node)
  const more = isMatch ? instructionsOf(parameters[0], walk) * regexInstruction : isInTimeZone(name, parameters) ? inTimeZone : 0
  return own + more + (receiver === undefined ? 0 : price(receiver, walk)) + sum(parameters, walk)
}

const isInTimeZone = (name: string, parameters: readonly ASTNode[]): boolean => name.startsWith('get') && parameters.length > 0

/** What is refused as a pattern is never run: it costs nothing. */
function instructionsOf(pattern: ASTNode | undefined, { regexes }: Walk): number {
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return 0
  const regex = regexes(pattern.args)
  return regex.ok ? regex.value.instructions : 0
}

/** The most items that this expression's list can hold; 0 for what is certainly a single value, as a comprehension's variable is. */
function largest(node: ASTNode, walk: Walk): number {
  if (node.op !== 'in' && attributeOf(node, walk) !== undefined) return policyLimits.groups
  switch (node.op) {
    case 'id':
      return node.args === 'groups' ? policyLimits.groups : 0
    case '.':
      return walk.listFields.has(node.args[1]) ? policyLimits.claimListItems : 0
    case '[]':
      return node.args[1].op === 'value' && walk.listFields.has(String(node.args[1].args)) ? policyLimits.claimListItems : 0
    case 'list':
      return node.args.length
    case '+':
      return largest(node.args[0], walk) + largest(node.args[1], walk)
    case '?:':
      return Math.max(largest(node.args[1], walk), largest(node.args[2], walk))
    case 'rcall':
      return comprehensions.has(node.args[0]) ? largest(node.args[1], walk) : 0
    default:
      return 0
  }
}

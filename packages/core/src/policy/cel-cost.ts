/**
 * The most that evaluating an expression can cost, and the longest text that it can make, read off its syntax tree.
 *
 * Each node costs one step, some 25 ns; a comprehension costs its body once per item of the largest list that its range can be; what walks a
 * text or a list costs its length. A text grows where expressions join it, a variable of a comprehension is as long as the items of its range,
 * and no list is inside another: so a few characters cannot double anything again and again. Only functions listed here may be used, so
 * nothing with an unknown price gets through.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { err, ok, type Result } from '../result.js'
import { charactersPerComparison, comprehensions, errorSteps, type Operand, priceOf } from './cel-prices.js'
import { policyLimits } from './error.js'
import type { Regexes } from './regexes.js'

export type ExpressionCost = {
  readonly cost: number
  /** Calls of `matches`, which must be moved to the linear-time engine, and of the name they are moved to. */
  readonly matches: readonly ASTNode[]
  /** Attributes of a login that it names. */
  readonly attributes: readonly string[]
}

export type CostRefusal = { readonly reason: 'expression_function' | 'expression_text'; readonly detail: string; readonly at: number }

/** Every function that a condition may use, as its author writes it. */
export const conditionFunctions: readonly string[] = [...priceOf.keys(), ...comprehensions].filter((name) => name !== 'matchRe')

/** The variable that holds the attributes of a login: each a list. It is read by literal names only, so that its cost and its reach are known. */
export const attributesVariable = 'attributes'

/** Searching a list is a tight loop of the host's, far cheaper than a step of the evaluator; joining and comparing lists is less so. */
const itemsPerStep = 10
const itemsPerCopy = 3
/** Characters for one step: the host orders texts slower than it tells them apart, and copies them when a joined one is first read. */
const charactersPerOrdering = 64
const charactersPerJoin = 256
/** Texts of a request, as the identifier of a resource, are longer than claims may be. */
const variableCharacters = 2_048

/** What is known of a node before it is evaluated. */
type Bound = Operand & {
  readonly cost: number
  /** Reading it, or making it, may fail: an error that `||`, `&&`, `exists` and `all` take in has its price each time. */
  readonly throws: boolean
}

type Walk = {
  readonly attributes: Set<string>
  readonly readsAttributes: boolean
  readonly regexes: Regexes
  /** Names of fields that hold lists: claims declared so, and lists of our own variables. */
  readonly listFields: ReadonlySet<string>
  /** Variables of the comprehensions around. */
  readonly scope: ReadonlyMap<string, Bound>
  /** Of one error that is taken in. */
  readonly errorSteps: number
  readonly matches: ASTNode[]
  readonly refusals: CostRefusal[]
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
    scope: new Map(),
    errorSteps: errorSteps(ast.end),
    matches: [],
    refusals: [],
  }
  const { cost } = measure(ast, walk)
  const first = walk.refusals.find(({ reason }) => reason === 'expression_function') ?? walk.refusals[0]
  return first === undefined ? ok({ cost, matches: walk.matches, attributes: [...walk.attributes] }) : err(first)
}

const nothing: Bound = { cost: 1, items: 0, text: 0, throws: false }

/** Something whose price is not known: remembered, so that the expression is refused. */
function unpriced(name: string, node: ASTNode, walk: Walk): Bound {
  walk.refusals.push({ reason: 'expression_function', detail: name, at: node.start })
  return nothing
}

/** Which attribute a node reads or looks for. `undefined`: none, or one that is not named by a literal. */
function attributeOf(node: ASTNode, walk: Walk): string | undefined {
  if (node.op === '.') return isAttributes(node.args[0], walk) ? node.args[1] : undefined
  if (node.op !== '[]' && node.op !== 'in') return undefined
  const [whole, key] = node.op === '[]' ? node.args : [node.args[1], node.args[0]]
  return isAttributes(whole, walk) && key.op === 'value' && typeof key.args === 'string' ? key.args : undefined
}

const isAttributes = (node: ASTNode, walk: Walk): boolean => walk.readsAttributes && node.op === 'id' && node.args === attributesVariable

function measure(node: ASTNode, walk: Walk): Bound {
  const bound = boundOf(node, walk)
  if (bound.text <= policyLimits.expressionText) return bound
  walk.refusals.push({ reason: 'expression_text', detail: `limit ${policyLimits.expressionText}`, at: node.start })
  return { ...bound, text: policyLimits.expressionText }
}

function boundOf(node: ASTNode, walk: Walk): Bound {
  const attribute = attributeOf(node, walk)
  if (attribute !== undefined) {
    walk.attributes.add(attribute)
    return node.op === 'in' ? nothing : groupsOrAttribute
  }
  if (isAttributes(node, walk)) return unpriced('attributes other than by a literal name', node, walk)
  switch (node.op) {
    case 'value':
      return boundOfLiteral(node, walk)
    case 'id':
      return (
        walk.scope.get(node.args) ??
        (node.args === 'groups' ? groupsOrAttribute : { ...nothing, text: variableCharacters, throws: !alwaysThere.has(node.args) })
      )
    case '.':
      return fieldOf(node, measure(node.args[0], walk), walk)
    case '[]':
      return elementOf(node, walk)
    case 'call':
      return boundOfCall({ name: node.args[0], parameters: node.args[1], node }, walk)
    case 'rcall':
      return boundOfCall({ name: node.args[0], receiver: node.args[1], parameters: node.args[2], node }, walk)
    case 'list':
      return boundOfList(node, walk)
    case '!_':
    case '-_':
      return { ...together([measure(node.args, walk)]), ...(node.op === '-_' && { throws: true }) }
    default:
      return boundOfOperator(node, walk)
  }
}

/** Of the other variables something may be missing. */
const alwaysThere: ReadonlySet<string> = new Set(['resource', 'hint', 'domain'])
const groupsOrAttribute: Bound = { ...nothing, items: policyLimits.groups, text: policyLimits.claimCharacters, throws: true }

function boundOfLiteral(node: Extract<ASTNode, { op: 'value' }>, walk: Walk): Bound {
  const { args: value }: { readonly args: unknown } = node
  if (value instanceof Uint8Array) return unpriced('a literal of bytes', node, walk)
  return typeof value === 'string' ? { ...nothing, text: value.length } : nothing
}

type Access = Extract<ASTNode, { op: '.' | '[]' }>

function fieldOf({ args: [owner, field] }: Access, { cost }: Pick<Bound, 'cost'>, { listFields }: Walk): Bound {
  const name: unknown = typeof field === 'string' ? field : field.args
  const isList = typeof name === 'string' && listFields.has(name)
  const text = isList || (owner.op === 'id' && owner.args === 'claims') ? policyLimits.claimCharacters : variableCharacters
  return { cost: cost + 1, items: isList ? policyLimits.claimListItems : 0, text, throws: true }
}

/** An item of a list, or a field. What is in a field whose name is computed has no type, and so no size. */
function elementOf(node: Extract<ASTNode, { op: '[]' }>, walk: Walk): Bound {
  const [whole, by] = [measure(node.args[0], walk), measure(node.args[1], walk)]
  const cost = whole.cost + by.cost
  if (whole.items > 0) return { ...whole, cost: cost + 1, items: 0, throws: true }
  return node.args[1].op === 'value' ? fieldOf(node, { cost }, walk) : unpriced('a field whose name is computed', node.args[1], walk)
}

/** Lists of lists are refused, so that a comprehension's variable is always a single value and never a range to multiply. */
function boundOfList(node: Extract<ASTNode, { op: 'list' }>, walk: Walk): Bound {
  const items = node.args.map((item) => measure(item, walk))
  if (items.some((item) => item.items > 0)) return unpriced('a list inside a list', node, walk)
  const all = together(items)
  return { ...all, items: items.length, text: longest(items) }
}

/** One step over its operands, which makes neither a list nor a text. */
const together = (operands: readonly Bound[], more = 0): Bound => ({
  ...nothing,
  cost: operands.reduce((sum, { cost }) => sum + cost, 1 + more),
  throws: operands.some(({ throws }) => throws),
})

const longest = (bounds: readonly Bound[]): number => bounds.reduce((most, { text }) => Math.max(most, text), 0)

function boundOfOperator(node: ASTNode, walk: Walk): Bound {
  switch (node.op) {
    case '?:': {
      const [condition, one, other] = node.args.map((part) => measure(part, walk)) as [Bound, Bound, Bound]
      const items = Math.max(one.items, other.items)
      return { ...together([condition, one, other]), items, text: longest([one, other]) }
    }
    case '||':
    case '&&': {
      const both = together(node.args.map((part) => measure(part, walk)))
      return both.throws ? { ...both, cost: both.cost + walk.errorSteps } : both
    }
    case 'in':
    case '==':
    case '!=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return boundOfBinary(node.op, measure(node.args[0], walk), measure(node.args[1], walk))
    default:
      return unpriced(String(node.op), node, walk)
  }
}

type Binary = 'in' | '==' | '!=' | '+' | '-' | '*' | '/' | '%' | '<' | '<=' | '>' | '>='

function boundOfBinary(op: Binary, one: Bound, other: Bound): Bound {
  const shorter = Math.min(one.text, other.text)
  const items = one.items + other.items
  switch (op) {
    case 'in':
      return together([one, other], Math.ceil(other.items / itemsPerStep) + Math.floor((other.items * shorter) / charactersPerComparison))
    case '==':
    case '!=':
      return together(
        [one, other],
        Math.ceil(items / itemsPerCopy) + Math.floor((Math.max(1, items / 2) * shorter) / charactersPerComparison),
      )
    case '+': {
      const text = items > 0 ? longest([one, other]) : one.text + other.text
      const joined = together([one, other], items > 0 ? Math.ceil(items / itemsPerCopy) : Math.floor(text / charactersPerJoin))
      // Numbers may overflow; of numbers neither is a text, nor a list.
      return { ...joined, items, text, throws: joined.throws || text + items === 0 }
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return together([one, other], Math.floor(shorter / charactersPerOrdering))
    default:
      return { ...together([one, other]), throws: true }
  }
}

type Call = { readonly name: string; readonly receiver?: ASTNode; readonly parameters: readonly ASTNode[]; readonly node: ASTNode }

function boundOfCall(call: Call, walk: Walk): Bound {
  const { name, receiver, parameters, node } = call
  if (receiver !== undefined && comprehensions.has(name)) return boundOfComprehension(name, measure(receiver, walk), call, walk)
  const price = priceOf.get(name)
  if (price === undefined) return unpriced(name, node, walk)
  const operands = [...(receiver === undefined ? [] : [receiver]), ...parameters].map((part) => measure(part, walk))
  const isMatch = name === 'matches' || name === 'matchRe'
  if (isMatch) walk.matches.push(node)
  const { steps, text = 0, throws = false } = price(operands, isMatch ? instructionsOf(parameters[0], walk) : 0)
  const all = together(operands, steps - 1)
  return { ...all, text, throws: all.throws || throws }
}

function boundOfComprehension(name: string, range: Bound, { parameters: [variable, ...body], node }: Call, walk: Walk): Bound {
  const scope = new Map([...walk.scope, [variable?.op === 'id' ? variable.args : '', { ...nothing, text: range.text }]])
  const bodies = body.map((part) => measure(part, { ...walk, scope }))
  const made = bodies.at(-1) ?? nothing
  if (name === 'map' && bodies.some(({ items }) => items > 0)) return unpriced('a list inside a list', node, walk)
  const each = together(bodies)
  const taken = each.throws && (name === 'exists' || name === 'all') ? walk.errorSteps : 0
  const whole = { ...nothing, cost: range.cost + Math.max(1, range.items) * (each.cost + taken), throws: range.throws || each.throws }
  if (name === 'map') return { ...whole, items: range.items, text: made.text }
  return name === 'filter' ? { ...whole, items: range.items, text: range.text } : whole
}

/** What is refused as a pattern is never run: it costs nothing. */
function instructionsOf(pattern: ASTNode | undefined, { regexes }: Walk): number {
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return 0
  const regex = regexes(pattern.args)
  return regex.ok ? regex.value.instructions : 0
}

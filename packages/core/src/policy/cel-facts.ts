/**
 * What a condition's syntax tree says about when it can hold: facts without which it is certainly false.
 *
 * They let a decision look only at the rules that could apply. A fact is necessary in this sense: if it is known and has none of the
 * values, the whole condition is false, whatever the rest is, errors included, because `&&` absorbs them. Nothing is derived from a
 * fact that is not known.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type VariableName, variableNames } from './cel-variables.js'

/** A variable with a text, as `client.id` or `claims.department`; `groups` for being in a group. */
export type FactName = string
export type Facts = ReadonlyMap<FactName, ReadonlySet<string>>

export const groupsFact: FactName = 'groups'
const none: Facts = new Map()

/** Facts of which at least one value must hold, for each name. */
export function necessaryFacts(node: ASTNode): Facts {
  switch (node.op) {
    case '&&':
      return both(necessaryFacts(node.args[0]), necessaryFacts(node.args[1]))
    case '||':
      return either(necessaryFacts(node.args[0]), necessaryFacts(node.args[1]))
    case '==':
      return equality(node.args[0], node.args[1]) ?? equality(node.args[1], node.args[0]) ?? none
    case 'in':
      return membership(node.args[0], node.args[1])
    default:
      return none
  }
}

function equality(variable: ASTNode, value: ASTNode): Facts | undefined {
  const name = textVariable(variable)
  return name !== undefined && isText(value) ? new Map([[name, new Set([value.args])]]) : undefined
}

function membership(item: ASTNode, list: ASTNode): Facts {
  if (isText(item) && list.op === 'id' && list.args === groupsFact) return new Map([[groupsFact, new Set([item.args])]])
  const name = textVariable(item)
  if (name === undefined || list.op !== 'list' || !list.args.every(isText)) return none
  return new Map([[name, new Set(list.args.map((each) => String(each.args)))]])
}

const isText = (node: ASTNode): node is Extract<ASTNode, { op: 'value' }> & { readonly args: string } =>
  node.op === 'value' && typeof node.args === 'string'

/** Variables that are one text each. Others (numbers, lists) are no facts. */
function textVariable(node: ASTNode): FactName | undefined {
  if (node.op === 'id') return node.args === 'resource' ? 'resource' : undefined
  if (node.op !== '.' || node.args[0].op !== 'id') return undefined
  const [{ args: owner }, field] = node.args
  return (owner === 'client' && (field === 'id' || field === 'host')) || owner === 'claims' ? `${owner}.${field}` : undefined
}

/** Each of two sets for one name is necessary, so only what is in both can hold; with nothing left the condition is never true. */
function both(one: Facts, other: Facts): Facts {
  const facts = new Map(one)
  for (const [name, values] of other) {
    const known = facts.get(name)
    facts.set(
      name,
      known === undefined || name === groupsFact ? smaller(known, values) : new Set([...values].filter((value) => known.has(value))),
    )
  }
  return facts
}

/** Somebody can be in both of two groups: the shorter list finds fewer people. */
const smaller = (one: ReadonlySet<string> | undefined, other: ReadonlySet<string>): ReadonlySet<string> =>
  one === undefined || other.size < one.size ? other : one

const either = (one: Facts, other: Facts): Facts =>
  new Map(
    [...one].flatMap(([name, values]) => {
      const others = other.get(name)
      return others === undefined ? [] : [[name, new Set([...values, ...others])] as const]
    }),
  )

/** A text that an expression asks something to be, or not to be. */
export type ComparedText = { readonly field: string; readonly text: string; readonly at: number }

/** Of `==`, `!=` and `in`, with texts that are written out: `client.kind == 'dynamic'`, `'staff' in groups`. */
export function comparedTexts(root: ASTNode): readonly ComparedText[] {
  const found: ComparedText[] = []
  const compare = (variable: ASTNode, values: readonly ASTNode[]): void => {
    const field = fieldOf(variable)
    if (field !== undefined) for (const value of values) if (isText(value)) found.push({ field, text: value.args, at: value.start })
  }
  const visit = (node: ASTNode): void => {
    if (node.op === '==' || node.op === '!=') {
      compare(node.args[0], [node.args[1]])
      compare(node.args[1], [node.args[0]])
    } else if (node.op === 'in') {
      const [item, list] = node.args
      if (list.op === 'list') compare(item, list.args)
      else compare(list, [item])
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(root)
  return found
}

function fieldOf(node: ASTNode): string | undefined {
  if (node.op === 'id') return isVariable(node.args) ? node.args : undefined
  return node.op === '.' && node.args[0].op === 'id' && isVariable(node.args[0].args) ? `${node.args[0].args}.${node.args[1]}` : undefined
}

/** What an expression reads, as its author writes it: `claims.department`, `groups`, `client.host`. */
export function fieldsRead(root: ASTNode): readonly string[] {
  const fields = new Set<string>()
  const visit = (node: ASTNode): void => {
    if (node.op === '.' && node.args[0].op === 'id' && isVariable(node.args[0].args)) fields.add(`${node.args[0].args}.${node.args[1]}`)
    else if (node.op === 'id' && isVariable(node.args)) fields.add(node.args)
    else for (const child of childrenOf(node)) visit(child)
  }
  visit(root)
  return [...fields].toSorted()
}

/** The variables that an expression names anywhere, also where it only binds the name anew: one too many is made in vain, one too few is unclear. */
export function variablesRead(root: ASTNode): readonly VariableName[] {
  const names = new Set<VariableName>()
  const visit = (node: ASTNode): void => {
    if (node.op === 'id' && isVariable(node.args)) names.add(node.args)
    for (const child of childrenOf(node)) visit(child)
  }
  visit(root)
  return [...names]
}

const isVariable = (name: string): name is VariableName => (variableNames as ReadonlySet<string>).has(name)

/** Operands of every shape: one node, a list of them, or a name beside them. */
const childrenOf = (node: ASTNode): readonly ASTNode[] => nodesIn(node.args)

function nodesIn(value: unknown): readonly ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn)
  return typeof value === 'object' && value !== null && 'op' in value ? [value as ASTNode] : []
}

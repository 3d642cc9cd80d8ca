/**
 * Conditions in CEL, made safe for text that strangers write.
 *
 * Everything is decided when the document is saved: the expression is parsed, type-checked against declared variables, held to a list
 * of functions whose cost we know, and given a static bound of its cost (syntax tree times capped list sizes), because the library's
 * own limits act on parsing only. `matches` runs on a linear-time engine instead of the host's backtracking one.
 *
 * At evaluation a variable that is unknown is left out of the context: reading it is an error, `||` and `&&` absorb the error as CEL
 * says, and what remains is reported as `unclear`, which the caller takes for the strict outcome.
 */
import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js'
import { err, ok, type Result } from '../result.js'
import { attributesVariable, type CostOptions, costOf } from './cel-cost.js'
import { type ComparedText, comparedTexts, type Facts, fieldsRead, necessaryFacts, variablesRead } from './cel-facts.js'
import { type ClaimCatalogue, type ClaimType, conditionVariables, isPossible, standardClaims, type VariableName } from './cel-variables.js'
import { type PolicyErrorReason, policyErrors, policyLimits } from './error.js'
import { withSameGuids } from './guids.js'
import { boundedRegexes, type Regexes } from './regexes.js'

export type Condition = {
  readonly source: string
  readonly cost: number
  /** Without which it is certainly false. */
  readonly facts: Facts
  /** What it reads, as its author writes it: `claims.department`, `groups`. */
  readonly reads: readonly string[]
  /** Texts that it asks something to be. */
  readonly compared: readonly ComparedText[]
  /** The variables in which that stands: all that its evaluation needs to be given. */
  readonly variables: readonly VariableName[]
  /** `unclear`: an error, or something that nobody knows. Never `true` and never `false`. */
  readonly evaluate: (context: Readonly<Record<string, unknown>>) => boolean | 'unclear'
}

export type ExpressionMistake = {
  readonly reason: PolicyErrorReason
  readonly say: string
  readonly position: { readonly line: number; readonly column: number; readonly caret: string } | undefined
}

export type ConditionCompiler = (source: string) => Result<Condition, ExpressionMistake>

/** What a policy makes out of other claims. `undefined`: it has no result, and the claim is unknown. */
export type DerivedValue = {
  readonly source: string
  readonly cost: number
  readonly variables: readonly VariableName[]
  readonly evaluate: (context: Readonly<Record<string, unknown>>) => unknown
}

const celTypeOf: Readonly<Record<ClaimType, string>> = { string: 'string', number: 'double', boolean: 'bool', list: 'list<string>' }

/** Same length as `matches`, so that columns in messages stay true. Reached only by replacing the name in a parsed call. */
const linearMatches = 'matchRe'

/** What an expression is compiled for: variables, limits, and what is known of their sizes. */
type Compiler = CostOptions & { readonly environment: Environment }

function policyCompiler(claims: ClaimCatalogue): Compiler {
  const catalogue = Object.entries({ ...standardClaims, ...claims })
  const claimFields = Object.fromEntries(catalogue.map(([name, type]) => [name, celTypeOf[type]]))
  const regexes = boundedRegexes()
  const environment = Object.entries({ ...conditionVariables, claims: claimFields }).reduce(
    (declared, [name, type]) =>
      typeof type === 'string' ? declared.registerVariable(name, type) : declared.registerVariable({ name, schema: { ...type } }),
    boundedEnvironment(regexes),
  )
  const lists = catalogue.flatMap(([name, type]) => (type === 'list' ? [name] : []))
  return { environment, lists, readsAttributes: false, regexes }
}

/** Without variables: what strangers write is held to these limits, and `matches` to the linear-time engine. */
function boundedEnvironment(regexes: Regexes): Environment {
  return new Environment({
    unlistedVariablesAreDyn: false,
    limits: {
      maxAstNodes: policyLimits.expressionNodes,
      maxDepth: policyLimits.expressionDepth,
      maxListElements: policyLimits.expressionListItems,
      maxMapEntries: 0,
      maxCallArguments: policyLimits.expressionArguments,
    },
  }).registerFunction(`string.${linearMatches}(string): bool`, (text: string, pattern: string) => {
    const regex = regexes(pattern)
    if (!regex.ok) throw new Error('a pattern that was not accepted')
    return regex.value.test(text)
  })
}

/** Makes the compiler for one document's catalogue of claims. */
export function conditionCompiler(claims: ClaimCatalogue): ConditionCompiler {
  const compiler = policyCompiler(claims)
  return (source) => compileCondition(compiler, withSameGuids(source))
}

/** Makes the compiler for claims that a document makes out of those in the catalogue: held to the same limits, and to one type. */
export function derivedClaimCompiler(claims: ClaimCatalogue): (source: string, type: ClaimType) => Result<DerivedValue, ExpressionMistake> {
  const compiler = policyCompiler(claims)
  return (source, type) => {
    const compiled = compileExpression(compiler, withSameGuids(source))
    if (!compiled.ok) return compiled
    const { expression, resultType, cost } = compiled.value
    if (!resultsOf[type].includes(resultType)) return refuse('expression_type', `a ${type} is wanted, this one is ${resultType}`, source, 0)
    return ok({ source, cost, variables: variablesRead(expression.ast), evaluate: valueOf(expression) })
  }
}

function valueOf(expression: ParseResult): DerivedValue['evaluate'] {
  return (context) => {
    const value = evaluateQuietly(expression, context)
    return typeof value === 'bigint' ? Number(value) : value
  }
}

/** Makes the compiler for conditions on an address that somebody gave: `hint` is the whole, `domain` what is behind the @. */
export function hintConditionCompiler(): ConditionCompiler {
  const regexes = boundedRegexes()
  const environment = boundedEnvironment(regexes).registerVariable('hint', 'string').registerVariable('domain', 'string')
  return (source) => compileCondition({ environment, lists: [], readsAttributes: false, regexes }, source)
}

export type ClaimExpression = {
  readonly source: string
  /** The attributes that it reads; no other is shown to it. */
  readonly attributes: readonly string[]
  readonly cost: number
  /** `undefined`: an error. The value is of the wanted type; who takes it holds it to the limits of claims. */
  readonly evaluate: (attributes: ReadonlyMap<string, readonly string[]>) => unknown
}

/** What an expression may come to, to become a claim of that type. */
const resultsOf: Readonly<Record<ClaimType, readonly string[]>> = {
  string: ['string'],
  number: ['double', 'int'],
  boolean: ['bool'],
  list: ['list<string>'],
}

/** Makes the compiler for expressions over the attributes of a login: held to the same limits as conditions, and to one type. */
export function claimExpressionCompiler(): (source: string, type: ClaimType) => Result<ClaimExpression, ExpressionMistake> {
  const regexes = boundedRegexes()
  const environment = boundedEnvironment(regexes).registerVariable(attributesVariable, 'map<string, list<string>>')
  return (source, type) => {
    const compiled = compileExpression({ environment, lists: [], readsAttributes: true, regexes }, source)
    if (!compiled.ok) return compiled
    const { expression, resultType, attributes, cost } = compiled.value
    if (!resultsOf[type].includes(resultType)) return refuse('expression_type', `a ${type} is wanted, this one is ${resultType}`, source, 0)
    return ok({ source, attributes, cost, evaluate: attributeReader(expression, attributes) })
  }
}

/** Over an attribute that is larger than the cost was bound for there is no result. */
function attributeReader(expression: ParseResult, names: readonly string[]): ClaimExpression['evaluate'] {
  return (given) => {
    const shown = new Map(names.flatMap((name) => (given.has(name) ? [[name, [...(given.get(name) ?? [])]] as const] : [])))
    const isTooLarge = [...shown.values()].some(
      (values) => values.length > policyLimits.groups || values.some((value) => value.length > policyLimits.claimCharacters),
    )
    return isTooLarge ? undefined : evaluateQuietly(expression, { [attributesVariable]: shown })
  }
}

function compileCondition(compiler: Compiler, source: string): Result<Condition, ExpressionMistake> {
  const compiled = compileExpression(compiler, source)
  if (!compiled.ok) return compiled
  const { expression, resultType, cost } = compiled.value
  if (resultType !== 'bool') return refuse('expression_not_boolean', `this one is ${resultType}`, source, 0)
  const { ast } = expression
  const compared = comparedTexts(ast)
  const vain = compared.find(({ field, text }) => !isPossible(field, text))
  if (vain !== undefined) return refuse('expression_vain', `${vain.field} is never '${vain.text}'`, source, vain.at)
  const read = { compared, reads: fieldsRead(ast), variables: variablesRead(ast) }
  return ok({ source, cost, facts: necessaryFacts(ast), ...read, evaluate: evaluator(expression) })
}

type Compiled = {
  readonly expression: ParseResult
  readonly resultType: string
  readonly cost: number
  readonly attributes: readonly string[]
}

function compileExpression(compiler: Compiler, source: string): Result<Compiled, ExpressionMistake> {
  if (source.length > policyLimits.expressionCharacters) return refuse('expression_too_long', `${source.length} characters`)
  const parsed = parse(compiler.environment, source)
  if (!parsed.ok) return parsed
  const cost = costOf(parsed.value.ast, compiler)
  if (!cost.ok) return refuse(cost.error.reason, cost.error.detail, source, cost.error.at)
  const ours = cost.value.matches.find((call) => nameOfCall(call) === linearMatches)
  if (ours !== undefined) return refuse('expression_function', 'a name of our own', source, ours.start)
  const safe = useLinearMatches(compiler, source, { unchanged: parsed.value, calls: cost.value.matches })
  if (!safe.ok) return safe
  const checked = safe.value.check()
  if (!checked.valid) return refuse('expression_type', summaryOf(checked.error), source, positionOf(checked.error))
  if (cost.value.cost > policyLimits.expressionCost)
    return refuse('expression_too_costly', `bound ${cost.value.cost}, limit ${policyLimits.expressionCost}`, source, 0)
  const { attributes } = cost.value
  return ok({ expression: safe.value, resultType: checked.type ?? 'of an unknown type', cost: cost.value.cost, attributes })
}

function parse(environment: Environment, source: string): Result<ParseResult, ExpressionMistake> {
  try {
    return ok(environment.parse(source))
  } catch (error) {
    const limit = codeOf(error) === 'limit_exceeded'
    return refuse(limit ? 'expression_too_complex' : 'expression_syntax', summaryOf(error), source, positionOf(error))
  }
}

/** Parses again with every call of `matches` renamed to ours. A call that could not be renamed is refused, never left to the host's engine. */
function useLinearMatches(
  compiler: Compiler,
  source: string,
  { unchanged, calls }: { readonly unchanged: ParseResult; readonly calls: readonly ASTNode[] },
): Result<ParseResult, ExpressionMistake> {
  if (calls.length === 0) return ok(unchanged)
  let renamed = source
  for (const call of calls) {
    if (call.op !== 'rcall') continue
    const [, receiver, parameters] = call.args
    const pattern = parameters[0]
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return refuse('regex_not_literal', '', source, call.start)
    const regex = compiler.regexes(pattern.args)
    if (!regex.ok) return refuse('regex_refused', regex.error, source, pattern.start)
    const at = source.indexOf('matches', receiver.end)
    renamed = `${renamed.slice(0, at)}${linearMatches}${renamed.slice(at + linearMatches.length)}`
  }
  const parsed = parse(compiler.environment, renamed)
  if (!parsed.ok) return parsed
  const left = costOf(parsed.value.ast, compiler)
  const unsafe = left.ok ? left.value.matches.find((call) => nameOfCall(call) !== linearMatches) : parsed.value.ast
  return unsafe === undefined ? parsed : refuse('expression_function', 'matches', source, unsafe.start)
}

const nameOfCall = (node: ASTNode): string | undefined => (node.op === 'rcall' || node.op === 'call' ? node.args[0] : undefined)

function evaluator(expression: ParseResult): Condition['evaluate'] {
  return (context) => {
    const value = evaluateQuietly(expression, context)
    return typeof value === 'boolean' ? value : 'unclear'
  }
}

/**
 * `undefined`: an error. Nobody reads where in the library it was thrown, and noting that for each error, of which a comprehension takes in
 * as many as its range has items, costs the host some ten times as much as all else.
 */
function evaluateQuietly(expression: ParseResult, context: Readonly<Record<string, unknown>>): unknown {
  const traced = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return expression(context)
  } catch {
    return undefined
  } finally {
    Error.stackTraceLimit = traced
  }
}

function refuse(
  reason: PolicyErrorReason,
  detail: string,
  source?: string,
  at?: number,
): { readonly ok: false; readonly error: ExpressionMistake } {
  const say = detail === '' ? policyErrors[reason].say : `${policyErrors[reason].say}: ${detail.replaceAll(linearMatches, 'matches')}`
  return err({ reason, say, position: source === undefined || at === undefined ? undefined : placeOf(source, at) })
}

/** Line and column of an offset, and that line with a caret below it. */
function placeOf(source: string, at: number): NonNullable<ExpressionMistake['position']> {
  const before = source.slice(0, at)
  const line = before.split('\n').length
  const column = at - (before.lastIndexOf('\n') + 1) + 1
  const text = source.split('\n')[line - 1] ?? ''
  return { line, column, caret: `${text}\n${' '.repeat(column - 1)}^` }
}

const fieldOf = (error: unknown, field: string): unknown =>
  typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined
const codeOf = (error: unknown): unknown => fieldOf(error, 'code')
const summaryOf = (error: unknown): string => {
  const said = fieldOf(error, 'summary') ?? fieldOf(error, 'message')
  return (typeof said === 'string' ? said.split('\n')[0] : undefined) ?? 'unreadable'
}
const positionOf = (error: unknown): number | undefined => {
  const start = fieldOf(fieldOf(error, 'range'), 'start')
  return typeof start === 'number' ? start : undefined
}

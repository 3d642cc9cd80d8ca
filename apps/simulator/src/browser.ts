/** A person's browser as plain code: cookies, redirects and forms, no scripts; for tests, the demonstration and the curious. */
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createCookieJar, siteOf } from './cookie-jar.js'
import { type HtmlForm, parseForms, textOf } from './html-form.js'

const maxHops = 25
const maxBodyBytes = 4 * 1024 * 1024
const timeoutMs = 60_000
const samlFields = ['SAMLResponse', 'SAMLRequest']

export type BrowserOptions = {
  /** Redirect URIs of a client that no server answers: the browser stops in front of them. Compared without query. */
  readonly stopAt?: string | readonly string[]
  /** False: show the page that carries a SAML message home, as a browser without scripts would. */
  readonly submitsSamlForms?: boolean
  readonly now?: () => number
  /** Where the server of an address is really found, as a name service and a proxy for TLS would say. The page keeps the address it asked for. */
  readonly findServer?: (url: URL) => URL
}

export type PageForm = {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  /** Sends the fields as they stand, with these in their place. A button is chosen by its name and value; an only button goes by itself. */
  submit(values?: Readonly<Record<string, string>>): Promise<Page>
}

export type Page = {
  readonly url: string
  /** 0 when the browser stopped in front of a redirect URI. */
  readonly status: number
  readonly isStopped: boolean
  readonly headers: IncomingHttpHeaders
  readonly html: string
  readonly text: string
  readonly forms: readonly HtmlForm[]
  /** Every address on the way here, the last one included. */
  readonly trail: readonly string[]
  /** By id or action, by a field or button it has (`name` or `name=value`), or by text in it; without: the first. Throws when there is none. */
  form(which?: string): PageForm
}

export type Browser = {
  open(url: string): Promise<Page>
  /** Posts a form from nowhere, or from a page given: what a foreign site could make the browser do. */
  post(url: string, fields: Readonly<Record<string, string>>, from?: string): Promise<Page>
  /** The cookies that a visit to the address would send. */
  cookies(url: string): ReadonlyMap<string, string>
}

type Load = {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly body: string | undefined
  readonly initiator: URL | undefined
  readonly referrerPolicy: string
}
type Loaded = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

export function openBrowser(options: BrowserOptions = {}): Browser {
  const jar = createCookieJar(options.now)
  const stops = (typeof options.stopAt === 'string' ? [options.stopAt] : (options.stopAt ?? [])).map(withoutQuery)
  const navigate = async (first: Load): Promise<Page> => {
    const trail: string[] = []
    let load = first
    for (let hop = 0; hop < maxHops; hop++) {
      trail.push(load.url.href)
      if (stops.includes(withoutQuery(load.url.href))) return toPage(load.url, undefined, trail, navigate)
      const loaded = await fetchOnce(load, jar.header(load.url, load), options.findServer?.(load.url) ?? load.url)
      jar.keep(loaded.headers['set-cookie'] ?? [], load.url)
      const next = nextLoad(load, loaded, options.submitsSamlForms ?? true)
      if (next === undefined) return toPage(load.url, loaded, trail, navigate)
      load = next
    }
    throw new Error(`more than ${maxHops} redirects, the last to ${load.url.origin}${load.url.pathname}`)
  }
  return {
    open: (url) => navigate({ method: 'GET', url: new URL(url), body: undefined, initiator: undefined, referrerPolicy: '' }),
    post: (url, fields, from) =>
      navigate({
        method: 'POST',
        url: new URL(url),
        body: encode(fields),
        initiator: from === undefined ? undefined : new URL(from),
        referrerPolicy: '',
      }),
    cookies: (url) => jar.at(new URL(url)),
  }
}

/** Where a browser would go by itself from here. @spec RFC 9110 §15.4 (a 303 and, by habit, a 301 or 302 turn POST into GET) */
function nextLoad(load: Load, loaded: Loaded, submitsSamlForms: boolean): Load | undefined {
  const { location } = loaded.headers
  if ([301, 302, 303, 307, 308].includes(loaded.status) && location !== undefined) {
    const keepsMethod = loaded.status >= 307
    return {
      ...load,
      url: new URL(location, load.url),
      method: keepsMethod ? load.method : 'GET',
      body: keepsMethod ? load.body : undefined,
    }
  }
  if (!submitsSamlForms || loaded.status !== 200) return undefined
  const form = parseForms(loaded.text).find(
    (candidate) => candidate.method === 'POST' && candidate.controls.some((control) => samlFields.includes(control.name)),
  )
  return form === undefined ? undefined : formLoad(load.url, loaded, form, {})
}

function formLoad(page: URL, loaded: Loaded, form: HtmlForm, values: Readonly<Record<string, string>>): Load {
  const url = new URL(form.action === '' ? page.href : form.action, page)
  const body = encode({ ...fieldsOf(form, values), ...values })
  const common = { initiator: page, referrerPolicy: String(loaded.headers['referrer-policy'] ?? '') }
  if (form.method === 'POST') return { ...common, method: 'POST', url, body }
  url.search = body
  return { ...common, method: 'GET', url, body: undefined }
}

function fieldsOf(form: HtmlForm, values: Readonly<Record<string, string>>): Record<string, string> {
  const buttons = form.controls.filter((control) => control.kind === 'button')
  const only = buttons.length === 1 ? buttons : []
  const sent = [...form.controls.filter((control) => control.kind === 'field'), ...only].filter(
    (control) => control.name !== '' && !(control.name in values),
  )
  return Object.fromEntries(sent.map((control) => [control.name, control.value]))
}

function toPage(url: URL, loaded: Loaded | undefined, trail: readonly string[], navigate: (load: Load) => Promise<Page>): Page {
  const markup = loaded?.text ?? ''
  const forms = parseForms(markup)
  return {
    url: url.href,
    status: loaded?.status ?? 0,
    isStopped: loaded === undefined,
    headers: loaded?.headers ?? {},
    html: markup,
    text: textOf(markup),
    forms,
    trail,
    form: (which) => {
      const form = which === undefined ? forms[0] : findForm(forms, which)
      if (form === undefined || loaded === undefined)
        throw new Error(
          `no form ${which ?? ''} on ${url.origin}${url.pathname} (${loaded?.status ?? 'stopped'}): ${textOf(markup).slice(0, 400)}`,
        )
      return { action: form.action, fields: fieldsOf(form, {}), submit: (values = {}) => navigate(formLoad(url, loaded, form, values)) }
    },
  }
}

function findForm(forms: readonly HtmlForm[], which: string): HtmlForm | undefined {
  const has = (form: HtmlForm) =>
    form.controls.some((control) => control.name === which || `${control.name}=${control.value}` === which || control.label === which)
  return (
    forms.find((form) => form.id === which || form.action === which) ?? forms.find(has) ?? forms.find((form) => form.text.includes(which))
  )
}

async function fetchOnce(load: Load, cookie: string, server: URL): Promise<Loaded> {
  const send = server.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((done, fail) => {
    const request = send(
      server,
      { method: load.method, headers: headersOf(load, cookie), timeout: timeoutMs, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > maxBodyBytes) request.destroy(new Error('the page is too large'))
          chunks.push(chunk)
        })
        response.on('error', fail)
        response.on('end', () =>
          done({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') }),
        )
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer from ${load.url.origin}`)))
    request.on('error', fail)
    request.end(load.body)
  })
}

/** What a browser says about a navigation. @spec Fetch (Origin of a POST follows the referrer policy), Fetch Metadata */
function headersOf(load: Load, cookie: string): OutgoingHttpHeaders {
  const site =
    load.initiator === undefined
      ? 'none'
      : load.initiator.origin === load.url.origin
        ? 'same-origin'
        : siteOf(load.initiator) === siteOf(load.url)
          ? 'same-site'
          : 'cross-site'
  return {
    host: load.url.host,
    accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
    'accept-language': 'en',
    'user-agent': 'drawbridge-simulator-browser',
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    ...(cookie === '' ? {} : { cookie }),
    ...(load.body === undefined
      ? {}
      : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(load.body) }),
    ...(load.method === 'POST' && load.initiator !== undefined ? { origin: originOf(load.initiator, load, site) } : {}),
  }
}

function originOf(initiator: URL, load: Load, site: string): string {
  const hides = load.referrerPolicy === 'no-referrer' || (load.referrerPolicy === 'same-origin' && site !== 'same-origin')
  return hides ? 'null' : initiator.origin
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '')
}

function encode(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams({ ...fields }).toString()
}

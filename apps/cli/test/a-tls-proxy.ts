/** The operator's own proxy: ends TLS, asks for certificates of one authority, and hands a verified one on as RFC 9440 says. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { TestCertificate } from './a-certificate.js'

export type TlsProxy = { readonly origin: string; readonly proxySecret: string; leadTo(origin: string): void; close(): Promise<void> }

const proxySecret = 'of-the-proxy-0123456789abcdef0123'

/** Whatever a client sent in these is overwritten or left out: all trust in them rests on that. */
function headersFor(sent: IncomingHttpHeaders, socket: Socket): IncomingHttpHeaders {
  const { 'client-cert': _, 'drawbridge-proxy-secret': __, ...others } = sent
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate().raw : undefined
  return {
    ...others,
    'drawbridge-proxy-secret': proxySecret,
    ...(certificate === undefined ? {} : { 'client-cert': `:${certificate.toString('base64')}:` }),
  }
}

/** `authority`: PEM of what it believes certificates of. */
export async function aTlsProxy(own: TestCertificate, authority: string): Promise<TlsProxy> {
  let target = ''
  const server = createServer({ ...own, ca: authority, requestCert: true, rejectUnauthorized: false }, (incoming, outgoing) => {
    const { method, url, headers, socket } = incoming
    const onward = request(`${target}${url}`, { method: method ?? 'GET', headers: headersFor(headers, socket) }, (answered) => {
      outgoing.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(outgoing)
    })
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    proxySecret,
    leadTo: (origin) => {
      target = origin
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

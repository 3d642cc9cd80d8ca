/** A network between two programs that can be cut, slowed down, or made to swallow what is sent: what a cable, a firewall and a lost route do. */
import { connect, createServer, type Socket } from 'node:net'

/** `cut`: connections break and none is taken. `swallowing`: they stay open and nothing comes through, either way, nor is anything said. */
export type NetworkState = 'open' | 'cut' | 'swallowing'

export type TcpProxy = {
  readonly port: number
  set(state: NetworkState): void
  /** What is open now never hears anything again, nor is it told so; what is opened later works: a firewall that has forgotten its connections. */
  forget(): void
  /** What is sent from now on arrives this much later. 0: at once. */
  delay(milliseconds: number): void
  close(): Promise<void>
}

type Pair = { readonly sockets: readonly [Socket, Socket]; isLost: boolean }

/** `findPort`: asked anew for each connection, so that what stands behind may move. */
export async function aTcpProxy(port: number, findPort: () => number): Promise<TcpProxy> {
  let state: NetworkState = 'open'
  let late = 0
  const pairs = new Set<Pair>()

  const pass = (pair: Pair, from: Socket, to: Socket): void => {
    from.on('data', (data) => {
      // What was swallowed is lost: the stream behind it would have a hole, so the connection never works again, as after a lost route.
      pair.isLost ||= state === 'swallowing'
      if (pair.isLost) return
      if (late === 0) to.write(data)
      else setTimeout(() => !pair.isLost && to.writable && to.write(data), late)
    })
    from.on('end', () => setTimeout(() => !pair.isLost && to.end(), late))
    from.on('error', () => to.destroy())
    from.on('close', () => setTimeout(() => !pair.isLost && to.destroy(), late))
  }
  const server = createServer((near) => {
    if (state === 'cut') return void near.resetAndDestroy()
    const far = connect(findPort(), '127.0.0.1')
    const pair: Pair = { sockets: [near, far], isLost: false }
    pairs.add(pair)
    const isOver = () => pair.sockets.every(({ destroyed }) => destroyed)
    for (const socket of pair.sockets) socket.setNoDelay(true).once('close', () => isOver() && pairs.delete(pair))
    pass(pair, near, far)
    pass(pair, far, near)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const breakAll = (): void => {
    for (const { sockets } of pairs) for (const socket of sockets) socket.destroy()
    pairs.clear()
  }
  return {
    port,
    set: (next) => {
      // Whoever comes back after a lost route finds that the other side knows nothing of the connection.
      if (next === 'cut' || (state === 'swallowing' && next === 'open')) breakAll()
      state = next
    },
    forget: () => {
      for (const pair of pairs) pair.isLost = true
    },
    delay: (milliseconds) => {
      late = milliseconds
    },
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      breakAll()
      return closed
    },
  }
}

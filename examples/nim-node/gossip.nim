# SPDX-License-Identifier: MIT OR Apache-2.0

## A small peer-to-peer node: it says hello, makes gossip, hands on what it has not seen, and redials lost peers. One thread
## speaks to the network, another handles the messages (`messages.nim`). Asked to, the node dies as nodes die.
##
## `node.nim` makes a program of it, `examples/nim-library` a library.

from lifeboat import inc, observe, set
import std/[asyncdispatch, asyncnet, monotimes, net, strutils, times]
import ./messages

export messages.Death

const
  pollMs = 20
  redialMs = 1000

type
  Settings* = object
    name*, listen*: string
    peers*: seq[string]
    everyMs*: int ## 0: makes no gossip
    afterMs*: int ## 0: until it is stopped
    die*: Death

  Peer = ref object
    number: int
    name: string ## Empty until it said hello.
    socket: AsyncSocket

  Dial = ref object ## A peer that this node connects to, again and again.
    address: string
    isBusy: bool

  Node = ref object
    settings: Settings
    listener: AsyncSocket
    peers: seq[Peer]
    dials: seq[Dial]
    nextPeer, counter, messages: int

  NodeError* = object of CatchableError

lifeboat.declareCounter newMessages,
  "gossip", "messages", "Messages that were handled.", labels = {"kind": "new"}
lifeboat.declareCounter knownMessages,
  "gossip", "messages", "Messages that were handled.", labels = {"kind": "known"}
lifeboat.declareGauge peersNow, "gossip", "peers", "Peers that are connected."
lifeboat.declareHistogram messageBytes,
  "gossip", "message", "Size of a message.", "bytes", bounds = [32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]

var stopping: bool ## Set from a signal handler or another thread.

proc stopNode*() =
  stopping = true

proc splitAddress(address: string): (string, Port) =
  let colon = address.rfind(':')
  if colon < 0:
    raise newException(NodeError, "not HOST:PORT: " & address)
  (address[0 ..< colon], Port(parseInt(address[colon + 1 .. ^1])))

proc tellCounts(node: Node) =
  lifeboat.context("node", "peers", $node.peers.len)
  lifeboat.context("node", "messages", $node.messages)
  peersNow.set(node.peers.len)

proc lose(node: Node, peer: Peer) =
  let index = node.peers.find(peer)
  if index >= 0:
    node.peers.delete(index)
    peer.socket.close()
    if peer.name.len > 0:
      lifeboat.breadcrumb(lifeboat.levelWarning, "peer", "lost " & peer.name)
    node.tellCounts()

proc say(node: Node, peer: Peer, line: string) {.async.} =
  try:
    await peer.socket.send(line & "\n")
  except CatchableError:
    node.lose(peer)

proc listenTo(node: Node, peer: Peer) {.async.} =
  ## From hello to the end of the connection. A bad line is the end.
  node.peers.add peer
  try:
    await peer.socket.send("hello " & node.settings.name & "\n")
    while true:
      let line = await peer.socket.recvLine(maxLength = lineBytesMax + 2)
      if line.len == 0 or line.len > lineBytesMax:
        break
      if peer.name.len > 0:
        inbox.send Line(text: line, peer: peer.number)
      elif line.startsWith("hello ") and line.len > 6:
        peer.name = line[6 .. ^1]
        lifeboat.breadcrumb(lifeboat.levelInfo, "peer", "connected " & peer.name)
        node.tellCounts()
      else:
        break
  except CatchableError:
    discard # The connection is gone, whatever the reason.
  node.lose(peer)

proc newPeer(node: Node, socket: AsyncSocket): Peer =
  inc node.nextPeer
  Peer(number: node.nextPeer, socket: socket)

proc accept(node: Node) {.async.} =
  while true:
    let socket = await node.listener.accept()
    asyncCheck node.listenTo(node.newPeer(socket))

proc dial(node: Node, dial: Dial) {.async.} =
  dial.isBusy = true
  try:
    let (host, port) = splitAddress(dial.address)
    let socket = await asyncnet.dial(host, port)
    await node.listenTo(node.newPeer(socket))
  except CatchableError:
    discard # Nobody there: dialled again in a second.
  dial.isBusy = false

proc openListener(node: Node) =
  let (host, port) = splitAddress(node.settings.listen)
  node.listener = newAsyncSocket()
  node.listener.setSockOpt(OptReuseAddr, true)
  node.listener.bindAddr(port, host)
  node.listener.listen()
  let (address, bound) = node.listener.getLocalAddr()
  echo "listening on ", address, ":", bound.int
  stdout.flushFile()

proc takeVerdicts(node: Node) =
  ## What the worker says of the lines that it was handed.
  while true:
    let (isThere, verdict) = outbox.tryRecv
    if not isThere:
      break
    var sender: Peer
    for peer in node.peers:
      if peer.number == verdict.line.peer:
        sender = peer
    if not verdict.isValid:
      if sender != nil:
        node.lose(sender)
    elif not verdict.isNew:
      knownMessages.inc()
    else:
      inc node.messages
      newMessages.inc()
      messageBytes.observe(verdict.line.text.len)
      node.tellCounts()
      if sender != nil:
        echo node.settings.name, " got ", verdict.id, " from ", sender.name
        stdout.flushFile()
        lifeboat.breadcrumb(
          lifeboat.levelInfo, "gossip", verdict.id & " from " & sender.name
        )
      for peer in node.peers:
        if peer != sender and peer.name.len > 0:
          asyncCheck node.say(peer, verdict.line.text)

proc makeGossip(node: Node) =
  inc node.counter
  let id = node.settings.name & "-" & $node.counter
  let text = "gossip " & id & " block " & $(1204800 + node.counter)
  inbox.send Line(text: text, peer: own)

proc openStore(path: string) {.noinline.} =
  raise newException(
    NodeError, "cannot open " & path & ": database disk image is malformed"
  )

proc die(how: Death) {.noinline.} =
  case how
  of dieNot:
    discard
  of dieExit:
    lifeboat.quitWith("cannot open the message store: no space left on device", 1)
  of dieQuit:
    # As a node does whose log goes to breadcrumbs: what it logged last is the reason.
    lifeboat.logBreadcrumb(
      "ERROR",
      "ERR 2026-08-20 10:00:00.000+02:00 Unrecoverable error occurred   error=\"no store\"",
    )
    quit(QuitFailure)
  of dieException:
    openStore("store.db")
  of dieMain, dieDefect:
    death = how
    handleOneHere()
  of dieNull, dieDefectThread:
    # The next message that the worker handles is its last.
    death = how
    while true:
      inbox.send Line(text: "gossip last one", peer: own)
      poll(pollMs)

proc now(): int64 =
  (getMonoTime() - MonoTime()).inMilliseconds

proc step(node: Node, nextGossip, nextSecond: var int64) =
  poll(pollMs)
  node.takeVerdicts()
  if node.settings.everyMs > 0 and now() >= nextGossip:
    nextGossip = now() + node.settings.everyMs
    node.makeGossip()
  if now() >= nextSecond:
    nextSecond = now() + redialMs
    lifeboat.heartbeat("network", 5 * redialMs)
    let isAlone = node.peers.len == 0 and node.dials.len > 0
    lifeboat.health("peers", if isAlone: 1 else: 0, $node.peers.len & " connected")
    for dial in node.dials:
      if not dial.isBusy:
        asyncCheck node.dial(dial)

proc runNode*(settings: Settings) =
  ## Until it is stopped, its time is over, or it dies.
  var worker: Thread[void]
  let node = Node(settings: settings)
  inbox.open()
  outbox.open()
  worker.createThread(handleMessages)
  node.openListener()
  asyncCheck node.accept()
  for address in settings.peers:
    node.dials.add Dial(address: address)
  lifeboat.tag("role", "relay")
  node.tellCounts()
  let begin = now()
  var nextGossip, nextSecond = begin
  while not stopping and (settings.afterMs == 0 or now() - begin < settings.afterMs):
    node.step(nextGossip, nextSecond)
  if not stopping:
    die(settings.die)
  inbox.send Line(peer: own)
  worker.joinThread()

proc readArguments*(words: seq[string]): Settings =
  result = Settings(name: "nim-node", listen: "127.0.0.1:0", everyMs: 500)
  for i in countup(0, words.high, 2):
    if i == words.high:
      raise newException(NodeError, words[i] & " wants a value")
    let value = words[i + 1]
    case words[i]
    of "--listen": result.listen = value
    of "--peer": result.peers.add value
    of "--name": result.name = value
    of "--every-ms": result.everyMs = parseInt(value)
    of "--after-ms": result.afterMs = parseInt(value)
    of "--die": result.die = parseEnum[Death](value)
    else: raise newException(NodeError, "unknown: " & words[i])

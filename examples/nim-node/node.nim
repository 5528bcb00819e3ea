# SPDX-License-Identifier: MIT OR Apache-2.0

## A peer-to-peer node in Nim that carries a lifeboat.
##
## .. code-block:: sh
##   make -C examples/nim-node        # fleet and public build, in examples/nim-node/build
##   LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so ./nim-node --after-ms 500 --die defect-thread
##
##   nim-node [--listen HOST:PORT] [--peer HOST:PORT]... [--name NAME] [--every-ms N] [--after-ms N]
##            [--die null|main|exit|quit|exception|defect|defect-thread]
##
## Without `-d:sentry` it is the public build: the same node, and no trace of Lifeboat in it.

from lifeboat import nil
import std/[os, posix]
import ./gossip

const usage =
  "usage: nim-node [--listen HOST:PORT] [--peer HOST:PORT]... [--name NAME]\n" &
  "                [--every-ms N] [--after-ms N]\n" &
  "                [--die null|main|exit|quit|exception|defect|defect-thread]"

proc main() =
  var settings: Settings
  try:
    settings = readArguments(commandLineParams())
  except CatchableError as e:
    stderr.writeLine e.msg, "\n", usage
    quit(2)
  onSignal(SIGTERM, SIGINT):
    stopNode()
  # After the handlers of the node's own: whoever comes last is asked first.
  lifeboat.start(app = "nim-node", version = "1.4.2")
  runNode(settings)
  lifeboat.stop()

main()

# SPDX-License-Identifier: MIT OR Apache-2.0

## The words that every build has: levels and answers. Nothing here becomes code unless it is used.

type
  Level* = enum
    ## How grave a record is: Sentry's levels.
    levelDebug
    levelInfo
    levelWarning
    levelError
    levelFatal

  Status* = distinct int32
    ## The answer of a call; it may be ignored. `statusText` says it in a sentence.

const
  statusOk* = Status(0)
  statusDisabled* = Status(1) ## Built without `-d:sentry`.
  statusOff* = Status(2) ## Not turned on at run time.
  statusAlreadyStarted* = Status(3)
  statusNotStarted* = Status(4)
  statusNotSupported* = Status(5)
  statusInvalidArgument* = Status(6)
  statusNoRoom* = Status(7)
  statusBusy* = Status(8)
  statusUnsupportedPlatform* = Status(9)
  statusReporterNotAbsolute* = Status(20)
  statusReporterMissing* = Status(21)
  statusReporterUnsafe* = Status(22)
  statusReporterNotALibrary* = Status(23)
  statusReporterTruncated* = Status(24)
  statusReporterForeign* = Status(25)
  statusReporterOtherVersion* = Status(26)
  statusReporterLoadFailed* = Status(27)
  statusPrivileged* = Status(28)
  statusMonitorMissing* = Status(40)
  statusMonitorUnsafe* = Status(41)
  statusMonitorFailed* = Status(42)
  statusNoMemory* = Status(43)
  statusStateDirMissing* = Status(44)
  statusStateDirUnusable* = Status(45)

func `==`*(a, b: Status): bool {.borrow.}

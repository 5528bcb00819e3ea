# SPDX-License-Identifier: MIT OR Apache-2.0

## What loggers call their levels. Nothing here becomes code in a public build.

import std/macros, ./words

const
  debugWords = ["t", "trc", "trace", "d", "dbg", "debug", "verbose", "all"]
  infoWords = ["i", "inf", "info", "n", "ntc", "notice", "note", "none"]
  warningWords = ["w", "wrn", "warn", "warning"]
  errorWords = ["e", "err", "error"]
  fatalWords = ["f", "fat", "ftl", "fatal", "c", "crt", "crit", "critical", "alert", "emergency", "panic"]
  prefixes = ["level", "lvl"]

{.push raises: [], gcsafe.}

func bareWord(word: string): string =
  ## In small letters, without what names of levels begin with.
  for c in word:
    result.add(if c in {'A' .. 'Z'}: char(ord(c) + 32) else: c)
  for prefix in prefixes:
    if result.len > prefix.len and result[0 ..< prefix.len] == prefix:
      return result[prefix.len ..< result.len]

func isLevel(word: string, level: var Level): bool =
  let bare = bareWord(word)
  result = true
  if bare in debugWords: level = levelDebug
  elif bare in infoWords: level = levelInfo
  elif bare in warningWords: level = levelWarning
  elif bare in errorWords: level = levelError
  elif bare in fatalWords: level = levelFatal
  else: result = false

func levelOf*(word: string): Level =
  ## TRACE, DBG, Info, notice, WRN, lvlError, FATAL and the like; another word is information.
  if not isLevel(word, result):
    result = levelInfo

{.pop.}

macro levelFrom*(level: typed): Level =
  ## The level that a value of a logger's enumeration stands for, by the names of its values. One with a name that is not
  ## understood is no logger's, or one whose errors would be taken for information: it is refused.
  let kind = level.getTypeImpl
  if kind.kind != nnkEnumTy:
    error("a level is a word or an enumeration", level)
  result = newTree(nnkCaseStmt, level)
  for value in kind:
    if value.kind == nnkSym:
      var found: Level
      if not isLevel(value.strVal, found):
        error("Lifeboat does not know the level `" & value.strVal & "`: hand the level over as a word", level)
      result.add newTree(nnkOfBranch, value, newLit(found))

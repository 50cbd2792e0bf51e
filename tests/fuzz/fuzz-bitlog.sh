#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the reader of the bitmap log.
exec ./fuzz-bitlog "${srcdir:-.}/tests/fuzz/corpus/bitlog"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the decoder of questions for hashes.
exec ./fuzz-hashes "${srcdir:-.}/tests/fuzz/corpus/hashes"

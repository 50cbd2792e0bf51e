#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the reader of thin metadata.
exec ./fuzz-thin "${srcdir:-.}/tests/fuzz/corpus/thin"

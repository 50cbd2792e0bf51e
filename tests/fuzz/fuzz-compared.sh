#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the decoder of the file of a comparison.
exec ./fuzz-compared "${srcdir:-.}/tests/fuzz/corpus/compared"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through what transport reads itself.
exec ./fuzz-transport "${srcdir:-.}/tests/fuzz/corpus/transport"

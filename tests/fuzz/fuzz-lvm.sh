#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the readers of lvs and of tokens.
exec ./fuzz-lvm "${srcdir:-.}/tests/fuzz/corpus/lvm"

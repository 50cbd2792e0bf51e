#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the reader of era metadata.
exec ./fuzz-era "${srcdir:-.}/tests/fuzz/corpus/era"

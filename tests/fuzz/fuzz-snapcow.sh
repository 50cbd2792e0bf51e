#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the reader of classic snapshots' exception stores.
exec ./fuzz-snapcow "${srcdir:-.}/tests/fuzz/corpus/snapcow"

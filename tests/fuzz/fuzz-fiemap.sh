#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the decoder and the comparison of extent lists.
exec ./fuzz-fiemap "${srcdir:-.}/tests/fuzz/corpus/fiemap"

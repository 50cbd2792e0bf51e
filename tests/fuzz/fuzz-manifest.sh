#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the decoder of manifests.
exec ./fuzz-manifest "${srcdir:-.}/tests/fuzz/corpus/manifest"

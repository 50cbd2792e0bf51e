#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Goal: the fuzzer's corpus passes through the server's side of HTTP/2.
exec ./fuzz-http "${srcdir:-.}/tests/fuzz/corpus/http"

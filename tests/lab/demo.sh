#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration: two hosts in a guest, and the guest's script demo.lab.
exec "$(dirname "$0")/run" "$(dirname "$0")/demo.lab"

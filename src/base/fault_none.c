/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fault.h"

void fault(const char *name)
{
	(void)name;
}

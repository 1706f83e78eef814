/* SPDX-License-Identifier: MIT */
#ifndef LINUX_SETUP_H
#define LINUX_SETUP_H

#include "linux/vfs_tree.h"

/* What the file that was given from outside holds, if all who are set up alike know it; NULL: they don't. */
const Content *setup_file(const Kernel *kernel, const TreeNode *node);
u64 setup_file_bytes(const Kernel *kernel); /* of all, with what the pages take that lead to them */

#endif

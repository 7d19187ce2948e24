// What lambda-spawn does, from its arguments to its end. A process with one thread, root, whose
// descriptor 3 is the socket to lambdad.
#pragma once

#include "sandbox/native/walls.h"

namespace lambda::sandbox::native {

// The exit status.
int run_spawn(int argc, char** argv, const Walls& walls);

}  // namespace lambda::sandbox::native

// lambda-spawn: root's small hand of lambdad, which makes native sandboxes.
//
//   lambda-spawn --data DIR --runtimes DIR --init FILE [--memory BYTES] [--processes N]
//                [--zygote FILE --zygote-forks N]
//
// Started by lambdad (SpawnClient) with the socket at descriptor 3, never by a person.
#include "sandbox/native/spawn_program.h"

int main(int argc, char** argv) {
  return lambda::sandbox::native::run_spawn(argc, argv, lambda::sandbox::native::Walls{});
}

# The compiler's flags, as one target that every library and program of ours links.
option(LAMBDA_WERROR "treat warnings as errors" ON)
set(LAMBDA_SANITIZE "" CACHE STRING "sanitizers to build with: address,undefined or thread")

add_library(lambda_flags INTERFACE)
target_compile_options(lambda_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -fno-omit-frame-pointer
  $<$<BOOL:${LAMBDA_WERROR}>:-Werror>)
# Boost.Asio: no deprecated parts; the executor type is concrete everywhere.
target_compile_definitions(lambda_flags INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Where sources are joined every one is an included file, and g++ warns of unnamed namespaces in those.
  target_compile_options(lambda_flags INTERFACE -Wno-subobject-linkage)
  # g++ 12 reports reads of freed memory that are not there, inside its own std::string at -O2 (PR105329).
  target_compile_options(lambda_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized
    -Wno-mismatched-new-delete -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread -Wno-dangling-pointer)
endif()

if(LAMBDA_SANITIZE)
  target_compile_options(lambda_flags INTERFACE -fsanitize=${LAMBDA_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(lambda_flags INTERFACE -fsanitize=${LAMBDA_SANITIZE})
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(lambda_flags INTERFACE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong
    -ffunction-sections -fdata-sections)
  # What is compiled together is not needed together: lambda-spawn links what it calls, and no more.
  target_link_options(lambda_flags INTERFACE -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(LAMBDA_LLD NAMES ld.lld-19 ld.lld)
  if(LAMBDA_LLD)
    target_link_options(lambda_flags INTERFACE -fuse-ld=lld)
  endif()
endif()

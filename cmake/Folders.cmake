# lambda_add_library(pool SOURCES ... TESTS ... DEPENDS ... LIBRARIES ...)
# makes lambda_pool from the sources of src/pool, and lambda_pool_test from its tests.
#   SOURCES    .cc files, by hand
#   TESTS      *_test.cc files beside them
#   DEPENDS    folders of ours that it may include; one that is not built yet stops the configuration,
#              so dependencies can point one way only
#   LIBRARIES  third-party targets
function(lambda_add_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;DEPENDS;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  add_library(lambda_${folder} STATIC ${ARG_SOURCES})
  target_include_directories(lambda_${folder} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(lambda_${folder} PUBLIC lambda_flags ${ARG_LIBRARIES})
  foreach(dependency IN LISTS ARG_DEPENDS)
    if(NOT TARGET lambda_${dependency})
      message(FATAL_ERROR "src/${folder} may not use src/${dependency}: it stands above it (see ARCHITECTURE.md)")
    endif()
    target_link_libraries(lambda_${folder} PUBLIC lambda_${dependency})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY LAMBDA_FOLDERS ${folder})
  if(ARG_TESTS)
    lambda_add_test(lambda_${folder}_test SOURCES ${ARG_TESTS} LIBRARIES lambda_${folder} ${ARG_TEST_LIBRARIES})
  endif()
endfunction()

# lambda_add_test(name SOURCES ... LIBRARIES ...): a GoogleTest program that ctest runs.
function(lambda_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest_main GTest::gmock)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# `ninja check_headers` compiles every header by itself.
function(lambda_add_header_check)
  file(GLOB_RECURSE headers RELATIVE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/src/*.h)
  set(units)
  foreach(header IN LISTS headers)
    string(REPLACE "/" "_" name ${header})
    set(unit ${CMAKE_BINARY_DIR}/headers/${name}.cc)
    file(GENERATE OUTPUT ${unit} CONTENT "#include \"${header}\"\n")
    list(APPEND units ${unit})
  endforeach()
  add_library(check_headers OBJECT EXCLUDE_FROM_ALL ${units})
  get_property(folders GLOBAL PROPERTY LAMBDA_FOLDERS)
  foreach(folder IN LISTS folders)
    target_link_libraries(check_headers PRIVATE lambda_${folder})
  endforeach()
endfunction()

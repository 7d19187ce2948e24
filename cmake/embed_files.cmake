# cmake -D OUTPUT=x.cc -D "FILES=name=path;..." -P embed_files.cmake: files as texts in a program.
set(text "#include \"cli/init/templates.h\"\n\nnamespace lambda::cli {\n\nstd::string_view embedded_file(std::string_view name) {\n")
foreach(item IN LISTS FILES)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${item}")
  file(READ "${CMAKE_MATCH_2}" content)
  string(APPEND text "  if (name == \"${CMAKE_MATCH_1}\")\n    return R\"embedded(${content})embedded\";\n")
endforeach()
string(APPEND text "  return {};\n}\n\n}  // namespace lambda::cli\n")
file(WRITE "${OUTPUT}" "${text}")

# Language, optimization, warnings, output layout.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3")  # asserts stay on: they state what must hold, and cost nothing measurable

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH $ORIGIN/../lib)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness that ccache asks for before it caches what includes a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

add_library(pare_settings INTERFACE)
# No silent fused multiply-adds: references and fast kernels promise the same bits, whichever way the compiler turns a loop.
target_compile_options(pare_settings INTERFACE -Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # Baseline ISA; kernels beyond it live in files whose suffix names theirs (PareFolders.cmake) and are chosen at run time.
  target_compile_options(pare_settings INTERFACE -march=x86-64-v3)
endif()
if(PARE_SANITIZE)
  add_compile_options(-fsanitize=${PARE_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${PARE_SANITIZE})
endif()

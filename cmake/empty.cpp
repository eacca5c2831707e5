// libpare is made of the folder libraries alone; CMake wants a source file for it.

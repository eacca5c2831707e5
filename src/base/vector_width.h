// How wide this machine's vectors are.
#pragma once

namespace pare {

/// float32 numbers in a vector of the active instruction set (cpu.h): 16 with AVX-512, 8 with AVX2, else 4. What channel
/// counts had best be multiples of.
int vector_floats();

}  // namespace pare

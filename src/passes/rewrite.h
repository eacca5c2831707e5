// Edits that several passes share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

/// x → node → y   becomes   x: consumers of y read x, or x's producer writes y where y is a graph output. Returns false
/// and changes nothing where neither is possible (y is a graph output and x is an input, a constant or an output too).
bool bypass(ir::Graph& graph, ir::NodeId node, std::size_t input_slot = 0);

/// `second` alone reads first's output 0, and something reads what `second` writes.
bool can_absorb_next(const ir::Graph& graph, ir::NodeId first, ir::NodeId second);
/// first → second   becomes   first, which writes what `second` wrote. Requires can_absorb_next.
void absorb_next(ir::Graph& graph, ir::NodeId first, ir::NodeId second);

/// Gives the input slot another constant: in place (keeping name and mask) when the node is its only reader and it is
/// no graph output, else as a new initializer called after `name`.
void replace_constant(ir::Graph& graph, ir::NodeId node, std::size_t slot, Tensor tensor, const std::string& name);

/// Replaces nodes by their expansions (ir/expansion.h): those in QOperator form, or the others. A node stays where the
/// model's operator set lacks what the expansion needs, or a rank or size that it depends on is not known, or
/// `keep` says so. Returns how many were replaced.
int expand_nodes(ir::Model& model, bool quantized, const std::function<bool(const ir::Node&)>& keep = {});

/// Throws Error(kBadInput) naming the local functions that call themselves, directly or through others.
void require_no_recursion(const ir::Model& model);

/// The elements of a constant integer input (int32 or int64), or nullopt.
std::optional<std::vector<std::int64_t>> constant_ints(const ir::Graph& graph, ir::ValueId value);

}  // namespace pare::passes
